// An Agent or a Model as the API server has it, read into a checked resource. Pure.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "boost/json/object.hpp"
#include "common/resource/resource.h"
#include "krypton/v1/resource.pb.h"
#include "manager/platform/platform.h"

namespace krypton::kube {

struct Declared {
  v1::ResourceKey key;
  std::string uid;
  int64_t generation = 0;
  // It has a deletionTimestamp.
  bool deleting = false;
  // Defaulted and valid, with the status that was written last; null where the spec is not valid,
  // as it may be when it was admitted by an older definition.
  std::shared_ptr<const resource::Resource> resource;
  std::vector<v1::ManifestProblem> problems;
  // What was written last, also where the spec is not valid.
  platform::Status status;
};

// Requires: an object of the kind.
Declared ReadDeclared(v1::ResourceKind kind, const boost::json::object& object);

// The same spec and metadata, whatever the status.
bool SameButStatus(const Declared& a, const Declared& b);

}  // namespace krypton::kube
