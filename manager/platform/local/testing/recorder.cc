#include "manager/platform/local/testing/recorder.h"

#include <chrono>
#include <iostream>
#include <thread>

#include "common/resource/manifest.h"

namespace krypton::platform::testing {

void Recorder::OnLeadership(bool leader, uint64_t term, std::string) {
  const std::lock_guard<std::mutex> lock(mutex_);
  term_ = leader ? term : 0;
}

void Recorder::OnResource(std::shared_ptr<const resource::Resource> resource) {
  const std::lock_guard<std::mutex> lock(mutex_);
  resources_[resource::ToString(resource->key())] = std::move(resource);
}

void Recorder::OnResourceDeleted(const v1::ResourceKey& key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  resources_.erase(resource::ToString(key));
}

void Recorder::SetHook(OnReplicasHook hook) {
  const std::lock_guard<std::mutex> lock(hook_mutex_);
  hook_ = std::move(hook);
}

void Recorder::OnReplicas(const v1::ResourceKey& key, std::vector<Replica> replicas) {
  {
    const std::lock_guard<std::mutex> lock(hook_mutex_);
    if (hook_) hook_(key, replicas);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const Replica& replica : replicas) instances_.insert(replica.instance);
  replicas_[resource::ToString(key)] = std::move(replicas);
}

void Recorder::OnManifestProblems(std::vector<v1::ManifestProblem> problems) {
  const std::lock_guard<std::mutex> lock(mutex_);
  problems_ = std::move(problems);
}

void Recorder::OnSynced() {
  const std::lock_guard<std::mutex> lock(mutex_);
  synced_ = true;
}

uint64_t Recorder::term() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return term_;
}

std::shared_ptr<const resource::Resource> Recorder::resource(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = resources_.find(name);
  return found == resources_.end() ? nullptr : found->second;
}

std::vector<Replica> Recorder::replicas(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = replicas_.find(name);
  return found == replicas_.end() ? std::vector<Replica>() : found->second;
}

std::vector<Replica> Recorder::replicas(const std::string& name, ReplicaPhase phase) const {
  std::vector<Replica> matching;
  for (Replica& replica : replicas(name)) {
    if (replica.phase == phase) matching.push_back(std::move(replica));
  }
  return matching;
}

std::vector<v1::ManifestProblem> Recorder::problems() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return problems_;
}

bool Recorder::synced() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return synced_;
}

std::set<std::string> Recorder::instances() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return instances_;
}

bool Recorder::Wait(const std::function<bool()>& condition) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [name, resource] : resources_) {
    std::cerr << "resource " << name << " generation " << resource->generation() << "\n";
  }
  for (const auto& [name, replicas] : replicas_) {
    for (const Replica& replica : replicas) {
      std::cerr << "replica of " << name << ": " << replica.instance << " " << Name(replica.phase)
                << " generation " << replica.generation << " pid " << replica.ref << " "
                << replica.message << "\n";
    }
  }
  for (const auto& problem : problems_) std::cerr << resource::ToString(problem) << "\n";
  return false;
}

const char* Name(ReplicaPhase phase) {
  constexpr const char* kNames[] = {"starting", "running", "draining", "failed"};
  return kNames[static_cast<int>(phase)];
}

}  // namespace krypton::platform::testing
