#include "manager/platform/kubernetes/teller.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "manager/platform/kubernetes/objects/names.h"
#include "manager/platform/kubernetes/objects/status_object.h"

namespace krypton::kube {
namespace {

bool SameReplicas(const std::vector<platform::Replica>& a,
                  const std::vector<platform::Replica>& b) {
  const auto tie = [](const platform::Replica& r) {
    return std::tie(r.instance, r.generation, r.address, r.phase, r.message, r.start_time,
                    r.restarts, r.ref);
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](const auto& x, const auto& y) { return tie(x) == tie(y); });
}

std::string TroubleOf(const ResourceView& view) {
  if (!view.refusal.empty()) return view.refusal;
  return view.deployment == nullptr ? "" : view.deployment->failure;
}

}  // namespace

Teller::Teller(const ClusterView& view, platform::PlatformListener& listener,
               std::function<void(const ResourceView&)> told)
    : view_(view), listener_(listener), told_callback_(std::move(told)) {}

Teller::~Teller() { Stop(); }

void Teller::Start() {
  thread_ = std::jthread([this](std::stop_token stop) { Run(stop); });
}

void Teller::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void Teller::Post(std::function<void()> call) {
  std::lock_guard lock(mutex_);
  calls_.push_back(std::move(call));
  changed_.notify_one();
}

void Teller::Changed(const v1::ResourceKey& key) {
  {
    std::lock_guard lock(mutex_);
    if (!waiting_.insert(key).second) return;
  }
  Post([this, key] {
    {
      std::lock_guard lock(mutex_);
      waiting_.erase(key);
    }
    Tell(key);
  });
}

void Teller::Leadership(bool leader, uint64_t term, std::string address) {
  Post([this, leader, term, address = std::move(address)] {
    leads_ = leader;
    listener_.OnLeadership(leader, term, address);
  });
}

void Teller::Synced() {
  Post([this] { listener_.OnSynced(); });
}

void Teller::Run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !calls_.empty(); })) {
    const std::function<void()> call = std::move(calls_.front());
    calls_.pop_front();
    lock.unlock();
    call();
    lock.lock();
  }
}

void Teller::Tell(const v1::ResourceKey& key) {
  const std::optional<ResourceView> view = view_.Get(key);
  TellProblems(key, view.has_value() ? &*view : nullptr);
  const bool exists = view.has_value() && view->exists() && view->resource != nullptr;
  auto found = told_.find(key);
  // Another one of the same name is not the one that was told.
  if (found != told_.end() && (!exists || found->second.declared->uid != view->declared->uid)) {
    told_.erase(found);
    listener_.OnResourceDeleted(key);
    found = told_.end();
  }
  if (!exists) return;
  Told& told = told_[key];
  // Replicas of a present generation are told as such before the manager hears of it: a change of
  // the spec that pods do not show must not look like a roll.
  const bool known = told.resource != nullptr;
  if (known) TellReplicas(key, *view, told);
  TellResource(key, *view, told);
  if (!known) TellReplicas(key, *view, told);
  if (told_callback_) told_callback_(*view);
}

void Teller::TellResource(const v1::ResourceKey&, const ResourceView& view, Told& told) {
  const bool same = told.declared != nullptr && SameButStatus(*told.declared, *view.declared) &&
                    (leads_ || SameStatus(told.declared->status, view.declared->status));
  told.declared = view.declared;
  // While a spec is refused, its last good version goes on.
  if (same || (view.declared->resource == nullptr && told.resource == view.resource)) return;
  told.resource = view.resource;
  listener_.OnResource(view.resource);
}

void Teller::TellReplicas(const v1::ResourceKey& key, const ResourceView& view, Told& told) {
  std::vector<platform::Replica> replicas;
  for (const auto& [name, pod] : view.pods) {
    PodInfo info = *pod;
    info.silent = view.silent.contains(pod->uid);
    replicas.push_back(
        ToReplica(info, view.resource->generation(), pod->pod_template == view.pod_template));
  }
  if (!SameReplicas(told.replicas, replicas)) {
    told.replicas = replicas;
    listener_.OnReplicas(key, std::move(replicas));
  }
  std::string trouble = TroubleOf(view);
  if (trouble != told.trouble) {
    told.trouble = trouble;
    listener_.OnTrouble(key, std::move(trouble));
  }
}

void Teller::TellProblems(const v1::ResourceKey& key, const ResourceView* view) {
  const std::string name = QueueKey(key);
  const bool refused = view != nullptr && view->exists() && !view->declared->problems.empty();
  if (!refused && problems_.erase(name) == 0) return;
  if (refused) problems_[name] = view->declared->problems;
  std::vector<v1::ManifestProblem> all;
  for (const auto& [other, problems] : problems_) {
    all.insert(all.end(), problems.begin(), problems.end());
  }
  listener_.OnManifestProblems(std::move(all));
}

}  // namespace krypton::kube
