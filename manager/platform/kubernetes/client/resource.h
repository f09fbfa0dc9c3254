// How the API server names things: kinds of resources and their paths. Values and pure functions.
#pragma once

#include <string>
#include <string_view>

namespace krypton::kube {

// A kind of resource as it stands in a path: {"apps", "v1", "deployments"}; the core group is "".
struct GroupVersionResource {
  std::string group;
  std::string version;
  std::string resource;  // plural, lower case

  bool operator==(const GroupVersionResource&) const = default;
};

// Which object of a kind. `name_space` is empty for kinds without namespaces, and in a collection's
// path for all namespaces.
struct ObjectName {
  std::string name_space;
  std::string name;

  bool operator==(const ObjectName&) const = default;
  auto operator<=>(const ObjectName&) const = default;
};

// "default/echo", or "echo" without a namespace.
std::string ToString(const ObjectName& name);
// "deployments.apps"; "pods".
std::string ToString(const GroupVersionResource& gvr);

// "/apis/apps/v1/namespaces/default/deployments"; each part percent-encoded.
std::string CollectionPath(const GroupVersionResource& gvr, std::string_view name_space);
// The same with "/echo", and "/status" for a subresource.
std::string ObjectPath(const GroupVersionResource& gvr, const ObjectName& name,
                       std::string_view subresource = {});

}  // namespace krypton::kube
