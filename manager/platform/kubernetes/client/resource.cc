#include "manager/platform/kubernetes/client/resource.h"

#include "absl/strings/str_cat.h"

namespace krypton::kube {

std::string ToString(const ObjectName& name) {
  if (name.name.empty()) return name.name_space;
  return name.name_space.empty() ? name.name : absl::StrCat(name.name_space, "/", name.name);
}

std::string ToString(const GroupVersionResource& gvr) {
  return gvr.group.empty() ? gvr.resource : absl::StrCat(gvr.resource, ".", gvr.group);
}

std::string CollectionPath(const GroupVersionResource& gvr, std::string_view name_space) {
  std::string path = gvr.group.empty()
                         ? absl::StrCat("/api/", Escape(gvr.version))
                         : absl::StrCat("/apis/", Escape(gvr.group), "/", Escape(gvr.version));
  if (!name_space.empty()) absl::StrAppend(&path, "/namespaces/", Escape(name_space));
  return absl::StrCat(path, "/", Escape(gvr.resource));
}

std::string ObjectPath(const GroupVersionResource& gvr, const ObjectName& name,
                       std::string_view subresource) {
  std::string path = absl::StrCat(CollectionPath(gvr, name.name_space), "/", Escape(name.name));
  if (!subresource.empty()) absl::StrAppend(&path, "/", Escape(subresource));
  return path;
}

std::string Escape(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  static constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string escaped;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos) {
      escaped += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    escaped += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return escaped;
}

}  // namespace krypton::kube
