#include "manager/platform/local/identity_store.h"

#include <sys/random.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>

#include "absl/status/statusor.h"
#include "common/config/utf8.h"
#include "common/log/log.h"
#include "common/resource/manifest.h"
#include "fmt/format.h"
#include "google/protobuf/util/message_differencer.h"
#include "manager/platform/local/files.h"

namespace krypton::platform {
namespace {

namespace json = boost::json;
using google::protobuf::util::MessageDifferencer;
using resource::Resource;

constexpr size_t kMaxFileBytes = 8 << 20;

// A UUID of version 4 (RFC 9562 §5.4), as Kubernetes has them.
std::string NewUid() {
  unsigned char b[16] = {};
  [[maybe_unused]] const ssize_t got = getrandom(b, sizeof b, 0);
  b[6] = (b[6] & 0x0f) | 0x40;
  b[8] = (b[8] & 0x3f) | 0x80;
  std::string text;
  for (int i = 0; i < 16; ++i) {
    text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
  }
  return text;
}

v1::ObjectMeta WithIdentity(v1::ObjectMeta metadata, const v1::ObjectMeta& identity) {
  metadata.set_uid(identity.uid());
  metadata.set_generation(identity.generation());
  *metadata.mutable_creation_timestamp() = identity.creation_timestamp();
  return metadata;
}

std::shared_ptr<const Resource> WithIdentity(const Resource& parsed,
                                             const v1::ObjectMeta& identity) {
  if (parsed.agent() != nullptr) {
    v1::Agent agent = *parsed.agent();
    *agent.mutable_metadata() = WithIdentity(agent.metadata(), identity);
    return std::make_shared<const Resource>(std::move(agent));
  }
  v1::Model model = *parsed.model();
  *model.mutable_metadata() = WithIdentity(model.metadata(), identity);
  return std::make_shared<const Resource>(std::move(model));
}

absl::StatusOr<Admitted> FromJson(const std::string& text) {
  json::error_code error;
  const json::value value = json::parse(text, error);
  if (error.failed() || !value.is_object()) return absl::DataLossError("not JSON");
  const json::object& object = value.get_object();
  for (const char* name : {"file", "uid", "yaml"}) {
    const json::value* field = object.if_contains(name);
    if (field == nullptr || !field->is_string()) return absl::DataLossError("lacks a field");
  }
  for (const char* name : {"generation", "createdMs"}) {
    const json::value* field = object.if_contains(name);
    if (field == nullptr || !field->is_int64()) return absl::DataLossError("lacks a field");
  }
  const std::string file(object.at("file").get_string());
  const auto parsed = resource::ParseManifest(file, std::string(object.at("yaml").get_string()),
                                              resource::Target::kLocal);
  if (parsed.resources.size() != 1) {
    return absl::DataLossError(parsed.problems.empty() ? "no resource"
                                                       : parsed.problems[0].reason());
  }
  v1::ObjectMeta identity;
  identity.set_uid(std::string(object.at("uid").get_string()));
  identity.set_generation(object.at("generation").get_int64());
  const int64_t created = object.at("createdMs").get_int64();
  identity.mutable_creation_timestamp()->set_seconds(created / 1000);
  identity.mutable_creation_timestamp()->set_nanos(static_cast<int32_t>(created % 1000) *
                                                   1'000'000);
  return Admitted{WithIdentity(*parsed.resources[0].resource, identity), file};
}

}  // namespace

std::string FolderOfFile(const std::string& file) {
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : file.substr(0, slash);
}

std::string IdentityStore::PathOf(const v1::ResourceKey& key) const {
  // Names have no dots, so that no agent's file is a model's.
  const char* const kind = key.kind() == v1::RESOURCE_KIND_MODEL ? ".model" : "";
  return fmt::format("{}/{}.{}{}.json", folder_, key.namespace_(), key.name(), kind);
}

absl::Status IdentityStore::Load() {
  if (absl::Status status = EnsureWritableFolder(folder_); !status.ok()) return status;
  const auto names = ListFolder(folder_);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const std::string path = folder_ + "/" + name;
    if (name.ends_with(".new")) {  // An earlier manager ended just then.
      unlink(path.c_str());
      continue;
    }
    const auto text = ReadFile(path, kMaxFileBytes);
    auto admitted = text.ok() ? FromJson(*text) : text.status();
    if (!admitted.ok()) {
      log::Warn("identity of a resource cannot be read",
                {{"path", path}, {"reason", std::string(admitted.status().message())}});
      continue;
    }
    all_[resource::Describe(admitted->resource->key())] = *std::move(admitted);
  }
  return absl::OkStatus();
}

Admitted IdentityStore::Admit(const Resource& parsed, const std::string& file) {
  const std::string name = resource::Describe(parsed.key());
  v1::ObjectMeta identity;
  const auto known = all_.find(name);
  if (known != all_.end()) {
    const Admitted& before = known->second;
    identity = before.resource->metadata();
    const bool same_folder = FolderOfFile(before.file) == FolderOfFile(file);
    if (!before.resource->SameSpec(parsed) || !same_folder) {
      identity.set_generation(identity.generation() + 1);
    }
  } else {
    identity.set_uid(NewUid());
    identity.set_generation(1);
    // To the millisecond: of two resources that want one name, the first has it.
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    identity.mutable_creation_timestamp()->set_seconds(now.count() / 1000);
    identity.mutable_creation_timestamp()->set_nanos(static_cast<int32_t>(now.count() % 1000) *
                                                     1'000'000);
  }
  const Admitted admitted{WithIdentity(parsed, identity), file};
  const bool same =
      known != all_.end() && known->second.file == file &&
      known->second.resource->SameSpec(*admitted.resource) &&
      MessageDifferencer::Equals(known->second.resource->metadata(), admitted.resource->metadata());
  all_[name] = admitted;
  if (!same) unsaved_.insert(name);
  return admitted;
}

std::string IdentityStore::ToJson(const Admitted& admitted) {
  const Resource& r = *admitted.resource;
  const auto& created = r.metadata().creation_timestamp();
  const json::object object = {
      // JSON is UTF-8; a file with another name counts as a new one when the manager starts again.
      {"file", config::ToUtf8(admitted.file)},
      {"uid", r.metadata().uid()},
      {"generation", r.generation()},
      {"createdMs", created.seconds() * 1000 + created.nanos() / 1'000'000},
      {"yaml", r.agent() != nullptr ? resource::ToYaml(*r.agent()) : resource::ToYaml(*r.model())}};
  return json::serialize(object) + "\n";
}

void IdentityStore::Save() {
  if (unsaved_.empty()) return;
  absl::Status saved;
  if (access(folder_.c_str(), F_OK) != 0) {
    // Somebody removed it, with all that was in it.
    saved = EnsureWritableFolder(folder_);
    for (const auto& [name, admitted] : all_) unsaved_.insert(name);
  }
  std::vector<FileContent> files;
  for (const std::string& name : unsaved_) {
    const Admitted& admitted = all_.at(name);
    files.push_back({PathOf(admitted.resource->key()), ToJson(admitted)});
  }
  if (saved.ok()) saved = WriteFilesDurably(folder_, files);
  if (saved.ok()) {
    unsaved_.clear();
  } else {
    log::Error("identities of resources cannot be kept",
               {{"resources", files.size()}, {"reason", std::string(saved.message())}});
  }
}

void IdentityStore::Forget(const std::string& name) {
  const auto found = all_.find(name);
  if (found == all_.end()) return;
  unlink(PathOf(found->second.resource->key()).c_str());
  unsaved_.erase(name);
  all_.erase(found);
}

}  // namespace krypton::platform
