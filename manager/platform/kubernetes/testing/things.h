// What informers give, for tests.
#pragma once

#include <memory>
#include <string>

#include "manager/platform/kubernetes/cluster_view.h"

namespace krypton::kube {

struct DeclaredOptions {
  std::string uid = "u1";
  int64_t generation = 1;
  bool valid = true;
  bool deleting = false;
};

inline std::shared_ptr<Declared> MakeDeclared(const std::string& name,
                                              const DeclaredOptions& options = {}) {
  auto declared = std::make_shared<Declared>();
  declared->key = resource::AgentKey("default", name);
  declared->uid = options.uid;
  declared->generation = options.generation;
  declared->deleting = options.deleting;
  if (!options.valid) {
    declared->problems.emplace_back().set_reason("spec.port 0 is not in 1..65535");
    *declared->problems[0].mutable_key() = declared->key;
    return declared;
  }
  v1::Agent agent;
  agent.mutable_metadata()->set_namespace_("default");
  agent.mutable_metadata()->set_name(name);
  agent.mutable_metadata()->set_uid(options.uid);
  agent.mutable_metadata()->set_generation(options.generation);
  agent.mutable_spec()->set_image("example.com/" + name);
  declared->resource = std::make_shared<const resource::Resource>(std::move(agent));
  return declared;
}

inline std::shared_ptr<PodInfo> MakePod(const std::string& name,
                                        const std::string& pod_template = "t1") {
  auto pod = std::make_shared<PodInfo>();
  pod->key = resource::AgentKey("default", "echo");
  pod->name = name;
  pod->uid = "uid-" + name;
  pod->ip = "10.0.0.1";
  pod->pod_template = pod_template;
  return pod;
}

}  // namespace krypton::kube
