// One replica of the local platform: its record on disk, its supervisor, and what is known of it.
// Belongs to the loop's thread. Destroying it lets its processes go on (see SupervisorLink).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/resource/resource.h"
#include "manager/platform/local/loop.h"
#include "manager/platform/local/port_picker.h"
#include "manager/platform/local/probe.h"
#include "manager/platform/local/replica_record.h"
#include "manager/platform/local/settings.h"
#include "manager/platform/local/supervisor_link.h"
#include "manager/platform/platform.h"

namespace krypton::platform {

// What all replicas of one platform share.
struct LocalContext {
  Loop& loop;
  const LocalSettings& settings;
  PortPicker& ports;
  // Of InheritedEnvironment.
  std::vector<std::string> environment;

  std::string FolderOf(const std::string& instance) const {
    return settings.state_dir + "/replicas/" + instance;
  }
};

class LocalReplica {
 public:
  // Called from within: the receiver destroys nothing.
  struct Events {
    // Something that Report() says is different.
    std::function<void()> on_change;
    // It failed by itself (`phase` is kFailed), and ends.
    std::function<void()> on_failed;
    // No process of it is left.
    std::function<void()> on_gone;
  };

  // What came before in its place: how many there were, and why the last one failed.
  struct Past {
    int restarts = 0;
    std::string failure;
  };

  // A new one; nothing runs before Start.
  LocalReplica(const LocalContext& context, const resource::Resource& resource,
               std::string process_template, Past past, Events events);
  // One that an earlier manager started. `link` is null: it has ended since.
  LocalReplica(const LocalContext& context, ReplicaRecord record,
               std::unique_ptr<SupervisorLink> link, std::chrono::nanoseconds startup_timeout,
               Events events);

  // Takes a millisecond or two. A failure is a failed replica: on_failed.
  void Start(const resource::Resource& resource, const std::string& work_folder);

  // Its processes are what this generation wants, too.
  void Promote(int64_t generation);
  // What its sidecar said.
  void OnState(v1::EndpointState state);
  // Asks the sidecar; one that does not answer becomes kStarting.
  void Confirm();
  // Marks it; nobody is to be sent there once that is reported. `Drain` follows.
  void MarkDraining();
  void Drain();
  // Ends it now, and calls it failed if `why` is not empty.
  void Kill(const std::string& why);
  // To be called when `deadline()` has passed.
  void OnDeadline();
  // When something is overdue: to become ready, to end. `max` when nothing is.
  Loop::Clock::time_point deadline() const { return deadline_; }

  const std::string& instance() const { return record_.instance; }
  const ReplicaRecord& record() const { return record_; }
  ReplicaPhase phase() const { return phase_; }
  // Its processes have ended.
  bool gone() const { return link_ == nullptr && started_; }
  // Adopted, and its supervisor has not answered yet.
  bool awaits_hello() const { return link_ != nullptr && !link_->said_hello(); }
  std::string folder() const { return context_.FolderOf(record_.instance); }

  Replica Report() const;
  // For the one that comes in its place.
  Past AsPast() const;
  // Shown while it is failed: how long after its failure it is started again. (What is left of that
  // would be wrong a second later, wherever the message is kept.)
  void set_retry_after(std::chrono::seconds wait) { retry_after_ = wait; }

 private:
  absl::Status MakeFolder() const;
  absl::Status TryStart(const resource::Resource& resource, const std::string& work_folder);
  void Attach(std::unique_ptr<SupervisorLink> link);
  void FailToStart(const std::string& why);
  void Fail(const std::string& why, std::string last_line = "");
  void SetPhase(ReplicaPhase phase);
  void OnGone();

  const LocalContext& context_;
  ReplicaRecord record_;
  Events events_;
  std::unique_ptr<SupervisorLink> link_;
  std::unique_ptr<Probe> probe_;
  bool confirm_again_ = false;
  const bool adopted_ = false;
  bool started_ = false;
  ReplicaPhase phase_ = ReplicaPhase::kStarting;
  std::string message_;
  std::string last_line_;  // Of its log, once it has failed.
  const std::string failure_before_;
  std::chrono::nanoseconds startup_timeout_{0};
  Loop::Clock::time_point deadline_ = Loop::Clock::time_point::max();
  std::optional<std::chrono::seconds> retry_after_;
};

}  // namespace krypton::platform
