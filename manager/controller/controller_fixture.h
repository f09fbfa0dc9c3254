// A Controller over a platform that runs nothing, leading with term kTerm; for its tests.
#pragma once

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <string>
#include <utility>
#include <vector>

#include "manager/controller/controller.h"
#include "manager/testing/fake_clock.h"
#include "manager/testing/fake_platform.h"
#include "manager/testing/resources.h"

namespace krypton::manager {

inline constexpr uint64_t kTerm = 7;

class ControllerTest : public testing::Test {
 protected:
  ControllerTest() {
    controller_.SetPlatform(platform_);
    controller_.OnLeadership(true, kTerm, "manager:7070");
  }

  // Declares an agent and reads the platform to its end.
  void Declare(const std::string& name, const AgentOptions& options = {}) {
    controller_.OnResource(MakeResource(name, options));
    controller_.OnSynced();
  }
  void Replicas(const std::string& name, std::vector<platform::Replica> replicas) {
    controller_.OnReplicas(resource::AgentKey("default", name), std::move(replicas));
  }
  void Report(const std::string& name, const std::string& instance,
              v1::EndpointState state = v1::ENDPOINT_STATE_READY, uint64_t stream = 1) {
    controller_.OnLoad(Sidecar(instance, stream), ReplicaReport(name, instance, 0, state), true);
  }
  v1::ScalingDecision Decision(const std::string& name, int desired) {
    v1::ScalingDecision decision;
    *decision.mutable_key() = resource::AgentKey("default", name);
    decision.set_term(kTerm);
    decision.set_sequence(++sequence_);
    decision.set_desired(desired);
    decision.set_reason("because");
    return decision;
  }
  v1::RegistryEntry Entry(const std::string& name) {
    const EntryPtr entry = store_.Find(resource::AgentKey("default", name));
    return entry == nullptr ? v1::RegistryEntry() : *entry;
  }
  v1::AgentStatus Status(const std::string& name) { return Entry(name).agent().status(); }
  v1::Condition Available(const std::string& name) { return Status(name).conditions(0); }

  uint64_t sequence_ = 0;
  FakeClock clock_;
  FakePlatform platform_;
  prometheus::Registry metrics_;
  RegistryStore store_;
  Leadership leadership_;
  Controller controller_{
      {.gateway_url = "http://gw:8080"}, clock_.clock(), store_, leadership_, metrics_};
};

}  // namespace krypton::manager
