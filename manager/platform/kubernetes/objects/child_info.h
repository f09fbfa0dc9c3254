// A child object of ours, reduced to what reconciling compares. Pure.
#pragma once

#include <optional>
#include <string>

#include "boost/json/object.hpp"
#include "krypton/v1/resource.pb.h"

namespace krypton::kube {

struct ChildInfo {
  v1::ResourceKey key;
  std::string name;
  std::string uid;
  // Of the owner that is its controller; empty: none.
  std::string owner_uid;
  bool deleting = false;
  // Its metadata and content as JSON, without status and what only the server sets.
  std::string live;
  // Of a Deployment.
  int replicas = 0;
  std::string certificate;
  std::string secret_uid;
  // Why its pods cannot be made.
  std::string failure;
};

// Nothing: no label says whose it is.
std::optional<ChildInfo> ReadChild(const boost::json::object& object);

// Whether what reconciling looks at is the same.
bool SameChild(const ChildInfo& a, const ChildInfo& b);

}  // namespace krypton::kube
