// Longer than most files: the election is two threads over one state, read together.
#include "manager/platform/kubernetes/client/leader_elector.h"

#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/log/log.h"
#include "manager/platform/kubernetes/client/api_status.h"
#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/client/json.h"
#include "manager/platform/kubernetes/client/lease.h"

namespace krypton::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr double kJitter = 1.2;
// The condition variable's clock may stand still while the machine sleeps, so no wait is long.
constexpr milliseconds kLongestWait(500);

nanoseconds SinceBoot() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

std::string Unique(const std::string& identity) {
  std::random_device random;
  return absl::StrFormat("%s_%08x%08x", identity, random(), random());
}

}  // namespace

// Two threads: one talks to the API server (Campaign), the other keeps the time and calls back
// (Watch), so that a call that hangs delays no callback.
class LeaderElector::Impl {
 public:
  Impl(Client& client, LeaseSettings settings, LeaderCallbacks callbacks,
       prometheus::Registry& metrics)
      : client_(client),
        settings_(std::move(settings)),
        callbacks_(std::move(callbacks)),
        identity_(Unique(settings_.identity)),
        status_(prometheus::BuildGauge()
                    .Name("leader_election_master_status")
                    .Help("1 while this process is the leader.")
                    .Register(metrics)
                    .Add({{"name", settings_.name}})) {}

  absl::Status Start();
  void Stop();
  bool IsLeader() const { return Now().count() < valid_until_; }
  uint64_t term() const { return term_; }
  Leader leader() const {
    const std::lock_guard lock(mutex_);
    return VisibleLeader();
  }
  const std::string& identity() const { return identity_; }

 private:
  nanoseconds Now() const { return settings_.clock ? settings_.clock() : SinceBoot(); }

  // Of the campaign's thread.
  void Campaign();
  absl::Status AcquireOrRenew();
  absl::Status Look();
  absl::Status Write(const LeaseRecord& record);
  void Observe(boost::json::object lease);
  bool HeldByAnother() const;
  void Lead(uint64_t term, bool renewed, nanoseconds sent);
  nanoseconds UntilNextTry();
  void Release();
  void Say(const absl::Status& status);

  // Of the watch's thread.
  void Watch();
  bool Leading() const {
    const std::lock_guard lock(mutex_);
    return leading_;
  }
  void Demote(std::string_view why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(std::unique_lock<std::mutex>& lock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Leader VisibleLeader() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Client& client_;
  const LeaseSettings settings_;
  const LeaderCallbacks callbacks_;
  const std::string identity_;
  prometheus::Gauge& status_;

  // Of the campaign's thread, and of Stop after it.
  boost::json::object lease_;  // As last seen; empty: not there, or not known.
  LeaseRecord record_;
  nanoseconds seen_{0};        // When `lease_` was first seen like that.
  uint64_t highest_term_ = 0;  // Also of a lease that was deleted meanwhile.
  bool said_failure_ = false;
  std::minstd_rand random_{std::random_device{}()};

  // By the clock; 0: not the leader. Read without the lock.
  std::atomic<int64_t> valid_until_ = 0;
  std::atomic<uint64_t> term_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool retired_ ABSL_GUARDED_BY(mutex_) = false;  // The campaign is over, the last news may go.
  bool leading_ ABSL_GUARDED_BY(mutex_) = false;
  Leader seen_leader_ ABSL_GUARDED_BY(mutex_);
  bool told_leading_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t told_term_ ABSL_GUARDED_BY(mutex_) = 0;
  Leader told_leader_ ABSL_GUARDED_BY(mutex_);
  std::thread campaign_;
  std::thread watch_;
};

absl::Status LeaderElector::Impl::Start() {
  const auto wrong = [](absl::string_view what) { return absl::InvalidArgumentError(what); };
  if (settings_.name.empty() || settings_.name_space.empty() || settings_.identity.empty()) {
    return wrong("leader election: the lease's namespace and name, or the identity is not set");
  }
  if (settings_.lease_duration <= settings_.renew_deadline) {
    return wrong("--lease-duration is not longer than --lease-renew-deadline");
  }
  if (settings_.renew_deadline <= settings_.retry_period * kJitter) {
    return wrong("--lease-renew-deadline is not longer than 1.2 times --lease-retry-period");
  }
  if (settings_.retry_period.count() <= 0) return wrong("--lease-retry-period is 0");
  watch_ = std::thread([this] { Watch(); });
  campaign_ = std::thread([this] { Campaign(); });
  return absl::OkStatus();
}

void LeaderElector::Impl::Stop() {
  if (!campaign_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  campaign_.join();
  const bool held = IsLeader();
  {
    const std::lock_guard lock(mutex_);
    leading_ = false;
    retired_ = true;
    changed_.notify_all();
  }
  watch_.join();
  if (held && IsLeader()) Release();
  valid_until_ = 0;
  status_.Set(0);
}

void LeaderElector::Impl::Campaign() {
  for (;;) {
    Say(AcquireOrRenew());
    const nanoseconds pause = UntilNextTry();
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, pause, [this] { return stopping_; })) return;
  }
}

nanoseconds LeaderElector::Impl::UntilNextTry() {
  if (Leading()) return settings_.retry_period;
  std::uniform_real_distribution<double> jitter(1, kJitter);
  const auto pause =
      std::chrono::duration_cast<nanoseconds>(settings_.retry_period * jitter(random_));
  if (!HeldByAnother()) return pause;
  // Nobody has to wait longer than the lease lasts.
  return std::min(pause, seen_ + record_.duration - Now() + milliseconds(1));
}

// OK: this process leads, or another one does.
absl::Status LeaderElector::Impl::AcquireOrRenew() {
  const bool leading = Leading();
  // The leader knows the lease as it wrote it; all others look first.
  if (!leading || lease_.empty()) {
    if (absl::Status status = Look(); !status.ok()) return status;
    if (HeldByAnother()) {
      const std::lock_guard lock(mutex_);
      if (leading_) Demote("another process holds it");
      return absl::OkStatus();
    }
  }
  const LeaseRecord mine = {.holder = identity_,
                            .address = settings_.address,
                            .duration = settings_.lease_duration,
                            .transitions = highest_term_ + (leading ? 0 : 1)};
  const nanoseconds sent = Now();
  if (absl::Status status = Write(mine); !status.ok()) {
    if (HttpCode(status) == 0) return status;
    // Somebody else was faster, or it is gone: look again next time.
    lease_ = {};
    return absl::IsAlreadyExists(status) || IsConflict(status) ? absl::OkStatus() : status;
  }
  Lead(mine.transitions, leading, sent);
  return absl::OkStatus();
}

absl::Status LeaderElector::Impl::Look() {
  const auto found = client_.Get(kLeases, {settings_.name_space, settings_.name});
  if (absl::IsNotFound(found.status())) {
    lease_ = {};
    record_ = {};
    return absl::OkStatus();
  }
  if (!found.ok()) return found.status();
  Observe(found->get_object());
  return absl::OkStatus();
}

absl::Status LeaderElector::Impl::Write(const LeaseRecord& record) {
  const auto now = std::chrono::system_clock::now();
  const WriteOptions options = {.field_manager = "krypton-manager", .subresource = {}};
  const ObjectName name = {settings_.name_space, settings_.name};
  auto written = lease_.empty()
                     ? client_.Create(kLeases, settings_.name_space,
                                      WriteLease(NewLease(name), record, now), options)
                     : client_.Replace(kLeases, name, WriteLease(lease_, record, now), options);
  if (!written.ok()) return written.status();
  Observe(written->get_object());
  return absl::OkStatus();
}

void LeaderElector::Impl::Observe(boost::json::object lease) {
  if (MetadataAt(lease, "resourceVersion") != MetadataAt(lease_, "resourceVersion") ||
      MetadataAt(lease, "uid") != MetadataAt(lease_, "uid")) {
    seen_ = Now();
  }
  lease_ = std::move(lease);
  record_ = ReadLease(lease_);
  highest_term_ = std::max(highest_term_, record_.transitions);
  const std::lock_guard lock(mutex_);
  seen_leader_ = {record_.holder, record_.address, record_.transitions};
  changed_.notify_all();
}

bool LeaderElector::Impl::HeldByAnother() const {
  if (record_.holder.empty() || record_.holder == identity_) return false;
  const nanoseconds duration =
      record_.duration.count() > 0 ? record_.duration : settings_.lease_duration;
  return Now() < seen_ + duration;
}

void LeaderElector::Impl::Lead(uint64_t term, bool renewed, nanoseconds sent) {
  const std::lock_guard lock(mutex_);
  if (stopping_ && !leading_) return;
  const nanoseconds now = Now();
  // A renewal that came too late is none: what has ended begins anew, in a term of its own.
  if (renewed && (!leading_ || now.count() >= valid_until_)) return;
  const nanoseconds until = sent + settings_.renew_deadline;
  if (now >= until) return;
  leading_ = true;
  term_ = term;
  valid_until_ = until.count();
  changed_.notify_all();
}

// Whoever comes next need not wait for the lease to run out.
void LeaderElector::Impl::Release() {
  const absl::Status status = Write({.holder = {},
                                     .address = {},
                                     .duration = std::chrono::seconds(1),
                                     .transitions = record_.transitions});
  if (!status.ok()) log::Warn("the lease could not be released", {{"error", status}});
}

void LeaderElector::Impl::Say(const absl::Status& status) {
  if (status.ok() == !said_failure_) return;
  said_failure_ = !status.ok();
  if (status.ok()) {
    log::Info("the lease can be reached again", {{"lease", settings_.name}});
  } else {
    log::Warn("cannot reach the lease", {{"lease", settings_.name}, {"error", status}});
  }
}

void LeaderElector::Impl::Watch() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (leading_ && !IsLeader()) Demote("it was not renewed in time");
    Tell(lock);
    if (retired_ && !told_leading_) return;
    const nanoseconds left = leading_ ? nanoseconds(valid_until_) - Now() : kLongestWait;
    changed_.wait_for(lock, std::clamp<nanoseconds>(left, nanoseconds(0), kLongestWait));
  }
}

void LeaderElector::Impl::Demote(std::string_view why) {
  leading_ = false;
  valid_until_ = 0;
  log::Warn("the lease is lost", {{"lease", settings_.name}, {"why", why}, {"term", term_.load()}});
}

// Calls back until all that is known has been told; without the lock meanwhile.
void LeaderElector::Impl::Tell(std::unique_lock<std::mutex>& lock) {
  const auto call = [&lock](const auto& callback, const auto&... arguments) {
    lock.unlock();
    if (callback) callback(arguments...);
    lock.lock();
  };
  const uint64_t term = term_;
  if (told_leading_ && (!leading_ || told_term_ != term)) {
    status_.Set(0);
    log::Info("this process leads no more", {{"lease", settings_.name}, {"term", told_term_}});
    call(callbacks_.stopped);
    told_leading_ = false;
  }
  if (leading_ && !told_leading_) {
    told_leading_ = true;
    told_term_ = term;
    status_.Set(1);
    log::Info("this process leads", {{"lease", settings_.name}, {"term", term}});
    call(callbacks_.started, term);
  }
  const Leader leader = VisibleLeader();
  if (leader == told_leader_) return;
  told_leader_ = leader;
  call(callbacks_.leader_changed, leader);
}

// A lease that still carries our name when we have stopped leading says nothing.
Leader LeaderElector::Impl::VisibleLeader() const {
  if (seen_leader_.identity.empty()) return {};
  if (seen_leader_.identity == identity_ && !leading_) return {};
  return seen_leader_;
}

LeaderElector::LeaderElector(Client& client, LeaseSettings settings, LeaderCallbacks callbacks,
                             prometheus::Registry& metrics)
    : impl_(std::make_unique<Impl>(client, std::move(settings), std::move(callbacks), metrics)) {}
LeaderElector::~LeaderElector() { Stop(); }

absl::Status LeaderElector::Start() { return impl_->Start(); }
void LeaderElector::Stop() { impl_->Stop(); }
bool LeaderElector::IsLeader() const { return impl_->IsLeader(); }
absl::Status LeaderElector::CheckLeader() const {
  if (IsLeader()) return absl::OkStatus();
  return absl::FailedPreconditionError("this process does not lead: the write is left out");
}
uint64_t LeaderElector::term() const { return impl_->term(); }
Leader LeaderElector::leader() const { return impl_->leader(); }
const std::string& LeaderElector::identity() const { return impl_->identity(); }

ClientSettings LeaseClientSettings(const LeaseSettings& lease) {
  ClientSettings settings;
  settings.max_attempts = 1;
  settings.connect_timeout = lease.retry_period;
  settings.request_timeout = lease.renew_deadline / 2;
  return settings;
}

}  // namespace krypton::kube
