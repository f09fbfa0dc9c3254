#include "common/resource/fields.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "fmt/format.h"
#include "krypton/v1/agent.pb.h"

namespace krypton::resource {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::vector<ManifestField> FieldsOf(const Descriptor& type) {
  std::vector<ManifestField> fields;
  const FieldDescriptor* pod = nullptr;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    if (field->name() == "pod") {
      pod = field;
    } else {
      fields.push_back({field->json_name(), field, false});
    }
  }
  const size_t own = fields.size();
  for (int i = 0; pod != nullptr && i < pod->message_type()->field_count(); ++i) {
    const FieldDescriptor* field = pod->message_type()->field(i);
    const bool taken =
        std::any_of(fields.begin(), fields.begin() + own,
                    [&](const ManifestField& f) { return f.name == field->json_name(); });
    if (!taken) fields.push_back({field->json_name(), field, true});
  }
  return fields;
}

bool IsSharedAffinity(const FieldDescriptor& field) {
  return field.message_type() == v1::Affinity::descriptor();
}

bool IsPodAffinityKey(std::string_view key) {
  return key == "nodeAffinity" || key == "podAffinity" || key == "podAntiAffinity";
}

bool IsNameList(const FieldDescriptor& field) { return field.name() == "image_pull_secrets"; }

std::string Join(std::string_view path, std::string_view key) {
  const bool word = std::all_of(key.begin(), key.end(),
                                [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
  if (!word) return fmt::format("{}[\"{}\"]", path, key.substr(0, 80));
  return fmt::format("{}{}{}", path, path.empty() ? "" : ".", key.substr(0, 80));
}

std::string Join(std::string_view path, size_t index) { return fmt::format("{}[{}]", path, index); }

}  // namespace krypton::resource
