// Resources from YAML for the tests of this folder.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "boost/json/parse.hpp"
#include "common/resource/manifest.h"
#include "manager/platform/kubernetes/objects/declared.h"

namespace krypton::kube {

// With what the API server sets: uid and generation.
inline std::shared_ptr<const resource::Resource> FromYaml(const std::string& yaml) {
  const resource::Manifest manifest =
      resource::ParseManifest("test.yaml", yaml, resource::Target::kCluster);
  if (manifest.resources.size() != 1) {
    throw std::runtime_error(manifest.problems.empty() ? "no resource"
                                                       : resource::ToString(manifest.problems[0]));
  }
  const auto& parsed = *manifest.resources[0].resource;
  const auto complete = [](auto message) {
    message.mutable_metadata()->set_uid("uid-1");
    message.mutable_metadata()->set_generation(1);
    return std::make_shared<const resource::Resource>(std::move(message));
  };
  return parsed.agent() != nullptr ? complete(*parsed.agent()) : complete(*parsed.model());
}

inline boost::json::object FromJson(const std::string& text) {
  return boost::json::parse(text).as_object();
}

}  // namespace krypton::kube
