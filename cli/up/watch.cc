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

template <typename Item>
std::string NameOf(const Item& item) {
  return item.metadata().namespace_() + "/" + item.metadata().name();
}

const v1::Agent& ItemOf(const v1::WatchAgentsResponse& response) { return response.agent(); }
const v1::Model& ItemOf(const v1::WatchModelsResponse& response) { return response.model(); }

template <typename Status>
bool SameNumbers(const Status& a, const Status& b) {
  return a.phase() == b.phase() && a.replicas() == b.replicas() &&
         a.ready_replicas() == b.ready_replicas() && a.desired_replicas() == b.desired_replicas();
}

template <typename Item, typename Response>
std::string Describe(const Item* before, const Response& change) {
  if (change.type() == v1::CHANGE_TYPE_SYNCED) return "";
  const Item& item = ItemOf(change);
  if (change.type() == v1::CHANGE_TYPE_DELETED) return NameOf(item) + ": deleted";
  const auto& now = item.status();
  if (before != nullptr && SameNumbers(before->status(), now)) return "";
  const std::string_view phase = resource::Word(now.phase());
  std::string text = NameOf(item) + ": " + (phase.empty() ? "Unknown" : std::string(phase)) + ", " +
                     Replicas(now.ready_replicas(), now.replicas(), now.desired_replicas()) +
                     " replicas";
  if (before != nullptr && before->status().desired_replicas() != now.desired_replicas()) {
    text += " (wanted " + std::to_string(before->status().desired_replicas()) + " -> " +
            std::to_string(now.desired_replicas()) + ")";
  }
  if (const std::string trouble = TroubleOf(item); !trouble.empty()) text += "; " + trouble;
  return text;
}

// Keeps what the change says, and gives the line that tells of it.
template <typename Item, typename Response>
std::string Keep(const Response& response, std::map<std::string, Item>& items) {
  const std::string name = NameOf(ItemOf(response));
  const auto known = items.find(name);
  std::string line = Describe(known != items.end() ? &known->second : nullptr, response);
  if (response.type() == v1::CHANGE_TYPE_DELETED) {
    items.erase(name);
  } else if (response.type() != v1::CHANGE_TYPE_SYNCED) {
    items[name] = ItemOf(response);
  }
  return line;
}

}  // namespace

std::string DescribeChange(const v1::Agent* before, const v1::WatchAgentsResponse& change) {
  return Describe(before, change);
}

std::string DescribeChange(const v1::Model* before, const v1::WatchModelsResponse& change) {
  return Describe(before, change);
}

MeshWatch::MeshWatch(ControlPlane control_plane)
    : control_plane_(std::move(control_plane)),
      event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      agents_thread_([this] {
        Follow<v1::WatchAgentsResponse>(
            [this](auto* context) { return control_plane_.stub().WatchAgents(context, {}); });
      }),
      models_thread_([this] {
        Follow<v1::WatchModelsResponse>(
            [this](auto* context) { return control_plane_.stub().WatchModels(context, {}); });
      }),
      problems_thread_([this] { FollowProblems(); }) {}

MeshWatch::~MeshWatch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    for (grpc::ClientContext* context : contexts_) context->TryCancel();
  }
  stopped_.notify_all();
  agents_thread_.join();
  models_thread_.join();
  problems_thread_.join();
  close(event_fd_);
}

MeshWatch::Snapshot MeshWatch::Take() {
  uint64_t count;
  [[maybe_unused]] const ssize_t n = read(event_fd_, &count, sizeof count);
  const std::lock_guard lock(mutex_);
  Snapshot snapshot;
  for (const auto& [name, agent] : agents_) snapshot.agents.push_back(agent);
  for (const auto& [name, model] : models_) snapshot.models.push_back(model);
  snapshot.problems = problems_;
  snapshot.complete = agents_known_ && models_known_;
  snapshot.news.assign(news_.begin(), news_.end());
  news_.clear();
  return snapshot;
}

template <typename Response, typename Open>
void MeshWatch::Follow(Open open) {
  rpc::Backoff backoff;
  do {
    grpc::ClientContext context;
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
      contexts_.insert(&context);
    }
    const auto stream = open(&context);
    Response response;
    while (stream->Read(&response)) {
      backoff.Reset();
      Apply(response);
    }
    // Whatever ended it, a restarted control plane or this program: the loop goes on or ends.
    (void)stream->Finish();
    const std::lock_guard lock(mutex_);
    contexts_.erase(&context);
  } while (Sleep(backoff.Next()));
}

void MeshWatch::Apply(const v1::WatchAgentsResponse& response) {
  const std::lock_guard lock(mutex_);
  agents_known_ = agents_known_ || response.type() == v1::CHANGE_TYPE_SYNCED;
  Tell(Keep(response, agents_));
}

void MeshWatch::Apply(const v1::WatchModelsResponse& response) {
  const std::lock_guard lock(mutex_);
  models_known_ = models_known_ || response.type() == v1::CHANGE_TYPE_SYNCED;
  Tell(Keep(response, models_));
}

void MeshWatch::Tell(std::string line) {
  if (!line.empty()) news_.push_back(std::move(line));
  if (news_.size() > kMaxNews) news_.pop_front();
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
