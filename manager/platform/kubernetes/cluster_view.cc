#include "manager/platform/kubernetes/cluster_view.h"

#include <algorithm>
#include <utility>

#include "manager/platform/kubernetes/objects/status_object.h"

namespace krypton::kube {

bool ResourceView::empty() const {
  return declared == nullptr && pods.empty() && deployment == nullptr && service == nullptr &&
         account == nullptr;
}

std::optional<ResourceView> ClusterView::Get(const v1::ResourceKey& key) const {
  std::lock_guard lock(mutex_);
  const auto found = views_.find(key);
  if (found == views_.end()) return std::nullopt;
  return found->second;
}

std::vector<v1::ResourceKey> ClusterView::Keys() const {
  std::lock_guard lock(mutex_);
  std::vector<v1::ResourceKey> keys;
  keys.reserve(views_.size());
  for (const auto& [key, view] : views_) keys.push_back(key);
  return keys;
}

PodPtr ClusterView::FindPod(const std::string& uid) const {
  std::lock_guard lock(mutex_);
  const auto found = pods_.find(uid);
  return found == pods_.end() ? nullptr : found->second;
}

bool ClusterView::HasMarks(const v1::ResourceKey& key) const {
  std::lock_guard lock(mutex_);
  const auto found = views_.find(key);
  return found != views_.end() && std::any_of(found->second.pods.begin(), found->second.pods.end(),
                                              [](const auto& pod) { return pod.second->marked; });
}

void ClusterView::SetDeclared(const v1::ResourceKey& key, DeclaredPtr declared) {
  std::lock_guard lock(mutex_);
  ResourceView& view = views_[key];
  const bool other =
      view.declared == nullptr || declared == nullptr || view.declared->uid != declared->uid;
  if (other) {
    // What was wanted of another one of this name says nothing of this.
    view.desired.reset();
    view.status.reset();
    view.resource = nullptr;
    view.refusal.clear();
  }
  if (declared != nullptr && declared->resource != nullptr) {
    view.resource = declared->resource;
    view.pod_template = fingerprint_(*view.resource);
  }
  if (declared != nullptr) {
    view.uid = declared->uid;
    view.secret_kept = false;
  }
  view.declared = std::move(declared);
  if (view.empty()) views_.erase(key);
}

void ClusterView::SetPod(const v1::ResourceKey& key, const std::string& name, PodPtr pod) {
  std::lock_guard lock(mutex_);
  ResourceView& view = views_[key];
  if (const auto before = view.pods.find(name); before != view.pods.end()) {
    view.silent.erase(before->second->uid);
    pods_.erase(before->second->uid);
  }
  if (pod == nullptr) {
    view.pods.erase(name);
  } else {
    pods_[pod->uid] = pod;
    view.pods[name] = std::move(pod);
  }
  if (view.empty()) views_.erase(key);
}

void ClusterView::SetChild(const v1::ResourceKey& key, ChildKind kind, ChildPtr child) {
  std::lock_guard lock(mutex_);
  ResourceView& view = views_[key];
  ChildPtr& slot = kind == ChildKind::kDeployment ? view.deployment
                   : kind == ChildKind::kService  ? view.service
                                                  : view.account;
  slot = std::move(child);
  if (view.empty()) views_.erase(key);
}

template <typename Change>
bool ClusterView::Update(const v1::ResourceKey& key, Change change) {
  std::lock_guard lock(mutex_);
  const auto found = views_.find(key);
  return found != views_.end() && change(found->second);
}

bool ClusterView::SetDesired(const v1::ResourceKey& key, int desired) {
  return Update(key, [&](ResourceView& view) {
    if (!view.exists() || view.desired == desired) return false;
    view.desired = desired;
    return true;
  });
}

bool ClusterView::SetStatus(const v1::ResourceKey& key, platform::Status status) {
  return Update(key, [&](ResourceView& view) {
    if (!view.exists()) return false;
    if (view.status.has_value() && SameStatus(*view.status, status)) return false;
    view.status = std::move(status);
    return true;
  });
}

bool ClusterView::SetIdle(const v1::ResourceKey& key, std::vector<std::string> uids) {
  return Update(key, [&](ResourceView& view) {
    view.idle = std::move(uids);
    return true;
  });
}

bool ClusterView::SetSilent(const v1::ResourceKey& key, const std::string& uid, bool silent) {
  return Update(key, [&](ResourceView& view) {
    return silent ? view.silent.insert(uid).second : view.silent.erase(uid) > 0;
  });
}

bool ClusterView::SetRefusal(const v1::ResourceKey& key, std::string refusal) {
  return Update(key, [&](ResourceView& view) {
    if (view.refusal == refusal) return false;
    view.refusal = std::move(refusal);
    return true;
  });
}

bool ClusterView::SetSecretKept(const v1::ResourceKey& key) {
  return Update(key, [](ResourceView& view) {
    return view.declared == nullptr && !std::exchange(view.secret_kept, true);
  });
}

void ClusterView::ForgetWishes() {
  std::lock_guard lock(mutex_);
  for (auto& [key, view] : views_) {
    view.desired.reset();
    view.status.reset();
    view.idle.clear();
    view.refusal.clear();
  }
}

void ClusterView::Recompute() {
  std::lock_guard lock(mutex_);
  for (auto& [key, view] : views_) {
    if (view.resource != nullptr) view.pod_template = fingerprint_(*view.resource);
  }
}

}  // namespace krypton::kube
