#include "manager/platform/kubernetes/objects/names.h"

#include <cctype>

#include "absl/strings/str_cat.h"
#include "common/resource/key.h"
#include "manager/platform/kubernetes/objects/json.h"

namespace krypton::kube {
namespace {

constexpr size_t kMaxName = 63;
constexpr size_t kHashLength = 8;

}  // namespace

const GroupVersionResource& Agents() {
  static const GroupVersionResource gvr{"krypton.ai", "v1alpha1", "agents"};
  return gvr;
}
const GroupVersionResource& Models() {
  static const GroupVersionResource gvr{"krypton.ai", "v1alpha1", "models"};
  return gvr;
}
const GroupVersionResource& Deployments() {
  static const GroupVersionResource gvr{"apps", "v1", "deployments"};
  return gvr;
}
const GroupVersionResource& Pods() {
  static const GroupVersionResource gvr{"", "v1", "pods"};
  return gvr;
}
const GroupVersionResource& Services() {
  static const GroupVersionResource gvr{"", "v1", "services"};
  return gvr;
}
const GroupVersionResource& ServiceAccounts() {
  static const GroupVersionResource gvr{"", "v1", "serviceaccounts"};
  return gvr;
}
const GroupVersionResource& Secrets() {
  static const GroupVersionResource gvr{"", "v1", "secrets"};
  return gvr;
}

const GroupVersionResource& CustomResource(v1::ResourceKind kind) {
  return kind == v1::RESOURCE_KIND_MODEL ? Models() : Agents();
}

std::string_view KindName(v1::ResourceKind kind) {
  return kind == v1::RESOURCE_KIND_MODEL ? "Model" : "Agent";
}

const char* OwnerLabel(v1::ResourceKind kind) {
  return kind == v1::RESOURCE_KIND_MODEL ? kModelLabel : kAgentLabel;
}

std::string ManagedSelector() { return absl::StrCat(kManagedByLabel, "=", kManagedBy); }

std::string SelectorOf(const v1::ResourceKey& key) {
  return absl::StrCat(OwnerLabel(key.kind()), "=", key.name());
}

std::string FitName(std::string_view name, std::string_view suffix) {
  if (name.size() + suffix.size() <= kMaxName) return std::string(name) + std::string(suffix);
  const size_t kept = kMaxName - suffix.size() - kHashLength - 1;
  std::string text = std::string(name.substr(0, kept)) + "-";
  return text + Fingerprint(name).substr(0, kHashLength) + std::string(suffix);
}

std::string ServiceName(const v1::ResourceKey& key) {
  if (std::isdigit(static_cast<unsigned char>(key.name().front())) == 0) return key.name();
  const std::string name =
      absl::StrCat(std::string(resource::KindWord(key.kind())), "-", key.name());
  return FitName(name, "");
}

std::string SecretName(const v1::ResourceKey& key) { return FitName(key.name(), "-krypton-proxy"); }

std::string QueueKey(const v1::ResourceKey& key) {
  return absl::StrCat(std::string(resource::KindWord(key.kind())), "/", key.namespace_(), "/",
                      key.name());
}

std::optional<v1::ResourceKey> ParseQueueKey(std::string_view text) {
  const size_t first = text.find('/');
  const size_t second = first == text.npos ? text.npos : text.find('/', first + 1);
  if (second == text.npos) return std::nullopt;
  v1::ResourceKey key;
  key.set_kind(text.substr(0, first) == "model" ? v1::RESOURCE_KIND_MODEL
                                                : v1::RESOURCE_KIND_AGENT);
  key.set_namespace_(std::string(text.substr(first + 1, second - first - 1)));
  key.set_name(std::string(text.substr(second + 1)));
  return key;
}

}  // namespace krypton::kube
