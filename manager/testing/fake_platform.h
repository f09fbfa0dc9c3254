// A platform that runs nothing: it keeps what it was asked for. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/resource/key.h"
#include "manager/platform/platform.h"

namespace krypton::manager {

class FakePlatform : public platform::Platform {
 public:
  absl::Status Start(platform::PlatformListener&) override { return absl::OkStatus(); }
  void SetReplicas(const v1::ResourceKey& key, int desired) override {
    std::lock_guard lock(mutex_);
    desired_[resource::ToString(key)] = desired;
    ++calls_;
  }
  void PreferRemoval(const v1::ResourceKey& key, std::vector<std::string> instances) override {
    std::lock_guard lock(mutex_);
    idle_[resource::ToString(key)] = std::move(instances);
  }
  void OnReplicaState(const v1::ResourceKey&, const std::string& instance,
                      v1::EndpointState state) override {
    std::lock_guard lock(mutex_);
    states_[instance] = state;
  }
  void OnStatus(const v1::ResourceKey& key, const platform::Status& status) override {
    std::lock_guard lock(mutex_);
    statuses_[resource::ToString(key)].push_back(status);
  }
  void ConfirmReplica(const v1::ResourceKey&, const std::string& instance) override {
    std::lock_guard lock(mutex_);
    confirmed_.push_back(instance);
  }
  absl::StatusOr<std::unique_ptr<platform::LogStream>> ReadLogs(
      const v1::ResourceKey& key, const platform::LogOptions& options) override {
    if (open_logs) return open_logs(options);
    return absl::NotFoundError(resource::Describe(key) + " does not exist");
  }
  void Stop() override {}
  void Abort() override {}

  // What ReadLogs gives. Set before use.
  std::function<absl::StatusOr<std::unique_ptr<platform::LogStream>>(const platform::LogOptions&)>
      open_logs;

  // -1: never asked for.
  int desired(const std::string& name) const {
    std::lock_guard lock(mutex_);
    const auto found = desired_.find(name);
    return found == desired_.end() ? -1 : found->second;
  }
  int calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
  }
  v1::EndpointState state(const std::string& instance) const {
    std::lock_guard lock(mutex_);
    const auto found = states_.find(instance);
    return found == states_.end() ? v1::ENDPOINT_STATE_UNSPECIFIED : found->second;
  }
  // Which were preferred last, when replicas were to go.
  std::vector<std::string> idle(const std::string& name) const {
    std::lock_guard lock(mutex_);
    const auto found = idle_.find(name);
    return found == idle_.end() ? std::vector<std::string>() : found->second;
  }
  // All that were to be written, in order.
  std::vector<platform::Status> statuses(const std::string& name) const {
    std::lock_guard lock(mutex_);
    const auto found = statuses_.find(name);
    return found == statuses_.end() ? std::vector<platform::Status>() : found->second;
  }
  std::vector<std::string> confirmed() const {
    std::lock_guard lock(mutex_);
    return confirmed_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, int> desired_;
  std::map<std::string, v1::EndpointState> states_;
  std::map<std::string, std::vector<platform::Status>> statuses_;
  std::map<std::string, std::vector<std::string>> idle_;
  std::vector<std::string> confirmed_;
  int calls_ = 0;
};

}  // namespace krypton::manager
