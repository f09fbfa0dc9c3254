#include "manager/platform/kubernetes/client/resource.h"

#include "absl/strings/str_cat.h"
#include "common/config/percent.h"

namespace krypton::kube {

std::string ToString(const ObjectName& name) {
  if (name.name.empty()) return name.name_space;
  return name.name_space.empty() ? name.name : absl::StrCat(name.name_space, "/", name.name);
}

std::string ToString(const GroupVersionResource& gvr) {
  return gvr.group.empty() ? gvr.resource : absl::StrCat(gvr.resource, ".", gvr.group);
}

std::string CollectionPath(const GroupVersionResource& gvr, std::string_view name_space) {
  std::string path = gvr.group.empty() ? absl::StrCat("/api/", config::EncodePercent(gvr.version))
                                       : absl::StrCat("/apis/", config::EncodePercent(gvr.group),
                                                      "/", config::EncodePercent(gvr.version));
  if (!name_space.empty()) {
    absl::StrAppend(&path, "/namespaces/", config::EncodePercent(name_space));
  }
  return absl::StrCat(path, "/", config::EncodePercent(gvr.resource));
}

std::string ObjectPath(const GroupVersionResource& gvr, const ObjectName& name,
                       std::string_view subresource) {
  std::string path =
      absl::StrCat(CollectionPath(gvr, name.name_space), "/", config::EncodePercent(name.name));
  if (!subresource.empty()) absl::StrAppend(&path, "/", config::EncodePercent(subresource));
  return path;
}

}  // namespace krypton::kube
