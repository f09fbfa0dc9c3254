#include "cli/up/watch.h"

#include <grpcpp/grpcpp.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli/rows.h"
#include "common/resource/manifest.h"
#include "common/resource/words.h"
#include "common/rpc/backoff.h"

namespace krypton::cli {
namespace {

constexpr std::chrono::seconds kProblemsInterval{1};
constexpr size_t kMaxNews = 200;

std::string NameOf(const v1::Agent& agent) {
  return agent.metadata().namespace_() + "/" + agent.metadata().name();
}

bool SameNumbers(const v1::AgentStatus& a, const v1::AgentStatus& b) {
  return a.phase() == b.phase() && a.replicas() == b.replicas() &&
         a.ready_replicas() == b.ready_replicas() && a.desired_replicas() == b.desired_replicas();
}

}  // namespace

std::string DescribeChange(const v1::Agent* before, const v1::WatchAgentsResponse& change) {
  if (change.type() == v1::CHANGE_TYPE_SYNCED) return "";
  const v1::Agent& agent = change.agent();
  if (change.type() == v1::CHANGE_TYPE_DELETED) return NameOf(agent) + ": deleted";
  const v1::AgentStatus& now = agent.status();
  if (before != nullptr && SameNumbers(before->status(), now)) return "";
  const std::string_view phase = resource::Word(now.phase());
  std::string text = NameOf(agent) + ": " + (phase.empty() ? "Unknown" : std::string(phase)) +
                     ", " + Replicas(now.ready_replicas(), now.replicas(), now.desired_replicas()) +
                     " replicas";
  if (before != nullptr && before->status().desired_replicas() != now.desired_replicas()) {
    text += " (wanted " + std::to_string(before->status().desired_replicas()) + " -> " +
            std::to_string(now.desired_replicas()) + ")";
  }
  for (const v1::Condition& condition : now.conditions()) {
    const bool told = now.phase() == v1::AGENT_PHASE_FAILED && !condition.message().empty();
    if (told) text += "; " + condition.message();
  }
  return text;
}

MeshWatch::MeshWatch(ControlPlane control_plane)
    : control_plane_(std::move(control_plane)),
      event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      agents_thread_([this] { FollowAgents(); }),
      problems_thread_([this] { FollowProblems(); }) {}

MeshWatch::~MeshWatch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  stopped_.notify_all();
  agents_thread_.join();
  problems_thread_.join();
  close(event_fd_);
}

MeshWatch::Snapshot MeshWatch::Take() {
  uint64_t count;
  [[maybe_unused]] const ssize_t n = read(event_fd_, &count, sizeof count);
  const std::lock_guard lock(mutex_);
  Snapshot snapshot;
  for (const auto& [name, agent] : agents_) snapshot.agents.push_back(agent);
  snapshot.problems = problems_;
  snapshot.news.assign(news_.begin(), news_.end());
  news_.clear();
  return snapshot;
}

void MeshWatch::FollowAgents() {
  rpc::Backoff backoff;
  do {
    grpc::ClientContext context;
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
      context_ = &context;
    }
    const auto stream = control_plane_.stub().WatchAgents(&context, {});
    v1::WatchAgentsResponse response;
    while (stream->Read(&response)) {
      backoff.Reset();
      Apply(response);
    }
    // Whatever ended it, a restarted control plane or this program: the loop goes on or ends.
    (void)stream->Finish();
    const std::lock_guard lock(mutex_);
    context_ = nullptr;
  } while (Sleep(backoff.Next()));
}

void MeshWatch::Apply(const v1::WatchAgentsResponse& response) {
  const std::lock_guard lock(mutex_);
  const std::string name = NameOf(response.agent());
  const auto known = agents_.find(name);
  std::string line = DescribeChange(known != agents_.end() ? &known->second : nullptr, response);
  if (!line.empty()) news_.push_back(std::move(line));
  if (news_.size() > kMaxNews) news_.pop_front();
  if (response.type() == v1::CHANGE_TYPE_DELETED) {
    agents_.erase(name);
  } else if (response.type() != v1::CHANGE_TYPE_SYNCED) {
    agents_[name] = response.agent();
  }
  Signal();
}

void MeshWatch::FollowProblems() {
  std::string before;
  do {
    const auto problems = control_plane_.Problems();
    if (!problems.ok()) continue;
    std::string now;
    for (const auto& problem : *problems) now += resource::ToString(problem) + "\n";
    if (now == before) continue;
    const std::lock_guard lock(mutex_);
    for (const auto& problem : *problems) {
      const std::string line = resource::ToString(problem);
      if (before.find(line) == std::string::npos) news_.push_back("refused: " + line);
    }
    problems_ = *problems;
    before = now;
    Signal();
  } while (Sleep(kProblemsInterval));
}

void MeshWatch::Signal() const {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(event_fd_, &one, sizeof one);
}

bool MeshWatch::Sleep(std::chrono::milliseconds duration) {
  std::unique_lock lock(mutex_);
  return !stopped_.wait_for(lock, duration, [this] { return stop_; });
}

}  // namespace krypton::cli
