// Resources, replicas and reports as tests need them.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/resource/resource.h"
#include "krypton/v1/scaling.pb.h"
#include "manager/load/load_listener.h"
#include "manager/platform/platform.h"

namespace krypton::manager {

struct AgentOptions {
  bool serverless = false;
  int min = -1;  // The default of the mode.
  int max = 10;
  int concurrency = 8;
  int scale_to_zero_seconds = 300;
  int64_t generation = 1;
  std::string uid = "uid-1";
  int64_t created = 1'700'000'000;
};

inline v1::Agent MakeAgent(const std::string& name, const AgentOptions& options = {}) {
  v1::Agent agent;
  v1::ObjectMeta* metadata = agent.mutable_metadata();
  metadata->set_namespace_("default");
  metadata->set_name(name);
  metadata->set_uid(options.uid);
  metadata->set_generation(options.generation);
  metadata->mutable_creation_timestamp()->set_seconds(options.created);
  v1::AgentSpec* spec = agent.mutable_spec();
  spec->set_image("example.com/" + name);
  spec->set_mode(options.serverless ? v1::SCALING_MODE_SERVERLESS : v1::SCALING_MODE_ALWAYS_ON);
  spec->set_min_replicas(options.min >= 0 ? options.min : (options.serverless ? 0 : 1));
  spec->set_max_replicas(options.max);
  spec->set_concurrency(options.concurrency);
  spec->set_port(8080);
  spec->set_max_streams(256);
  spec->mutable_scale_to_zero_after()->set_seconds(options.scale_to_zero_seconds);
  spec->mutable_timeout()->set_seconds(60);
  spec->mutable_startup_timeout()->set_seconds(30);
  return agent;
}

inline std::shared_ptr<const resource::Resource> MakeResource(const std::string& name,
                                                              const AgentOptions& options = {}) {
  return std::make_shared<const resource::Resource>(MakeAgent(name, options));
}

inline std::shared_ptr<const resource::Resource> MakeModel(const std::string& name,
                                                           int64_t created = 1'700'000'000) {
  v1::Model model;
  model.mutable_metadata()->set_namespace_("default");
  model.mutable_metadata()->set_name(name);
  model.mutable_metadata()->set_uid("uid-model");
  model.mutable_metadata()->set_generation(1);
  model.mutable_metadata()->mutable_creation_timestamp()->set_seconds(created);
  model.mutable_spec()->set_mode(v1::SCALING_MODE_ALWAYS_ON);
  model.mutable_spec()->set_min_replicas(1);
  model.mutable_spec()->set_max_replicas(1);
  model.mutable_spec()->set_concurrency(4);
  return std::make_shared<const resource::Resource>(std::move(model));
}

inline platform::Replica MakeReplica(
    const std::string& instance, platform::ReplicaPhase phase = platform::ReplicaPhase::kStarting) {
  platform::Replica replica;
  replica.instance = instance;
  replica.generation = 1;
  replica.address = "127.0.0.1";
  replica.phase = phase;
  replica.start_time = std::chrono::system_clock::time_point(std::chrono::seconds(1'790'000'000));
  replica.ref = "4711";
  return replica;
}

inline LoadSource Sidecar(const std::string& instance, uint64_t stream = 1) {
  return {v1::REPORTER_KIND_SIDECAR, instance, stream};
}
inline LoadSource Gateway(const std::string& instance, uint64_t stream = 1) {
  return {v1::REPORTER_KIND_GATEWAY, instance, stream};
}

inline v1::ReportRequest ReplicaReport(const std::string& agent, const std::string& instance,
                                       double in_flight,
                                       v1::EndpointState state = v1::ENDPOINT_STATE_READY) {
  v1::ReportRequest report;
  v1::ReplicaLoad* load = report.add_replicas();
  *load->mutable_key() = resource::AgentKey("default", agent);
  load->set_instance(instance);
  load->set_state(state);
  load->set_port(40001);
  load->set_in_flight(in_flight);
  load->set_concurrency(8);
  return report;
}

inline v1::ReportRequest QueueReport(const std::string& agent, int waiting) {
  v1::ReportRequest report;
  v1::QueueLoad* load = report.add_queues();
  *load->mutable_key() = resource::AgentKey("default", agent);
  load->set_waiting(waiting);
  return report;
}

}  // namespace krypton::manager
