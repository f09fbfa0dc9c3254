#include "common/transcode/update_mask.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace krypton::transcode {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using Kind = JsonValue::Kind;
using Paths = std::vector<std::string>;

bool IsLeaf(const JsonValue& json) { return json.kind != Kind::kObject || json.items.empty(); }

std::string Join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : absl::StrCat(prefix, ".", name);
}

const FieldDescriptor* FindField(const Descriptor& type, const std::string& name) {
  const FieldDescriptor* field = type.FindFieldByName(name);
  for (int i = 0; field == nullptr && i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == name) field = type.field(i);
  }
  return field;
}

// In a Struct or a Value the keys are the names.
void AddKeys(const JsonValue& json, const std::string& path, Paths& paths) {
  if (IsLeaf(json)) {
    paths.push_back(path);
    return;
  }
  for (size_t i = 0; i < json.items.size(); ++i) {
    AddKeys(json.items[i], Join(path, json.keys[i]), paths);
  }
}

absl::Status AddFields(const JsonValue& json, const Descriptor* type, const std::string& prefix,
                       Paths& paths);

absl::Status AddField(const JsonValue& json, const FieldDescriptor& field, const std::string& path,
                      Paths& paths) {
  const Descriptor* type = field.message_type();
  const Descriptor::WellKnownType known =
      type == nullptr ? Descriptor::WELLKNOWNTYPE_UNSPECIFIED : type->well_known_type();
  if (known == Descriptor::WELLKNOWNTYPE_STRUCT || known == Descriptor::WELLKNOWNTYPE_VALUE) {
    AddKeys(json, path, paths);
    return absl::OkStatus();
  }
  if (field.is_repeated() || known == Descriptor::WELLKNOWNTYPE_ANY) {
    paths.push_back(path);
    return absl::OkStatus();
  }
  return AddFields(json, type, path, paths);
}

absl::Status AddFields(const JsonValue& json, const Descriptor* type, const std::string& prefix,
                       Paths& paths) {
  if (IsLeaf(json)) {
    if (!prefix.empty()) paths.push_back(prefix);
    return absl::OkStatus();
  }
  for (size_t i = 0; i < json.items.size(); ++i) {
    const FieldDescriptor* field = type == nullptr ? nullptr : FindField(*type, json.keys[i]);
    if (field == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("could not find field \"", Join(prefix, json.keys[i]), "\""));
    }
    absl::Status status = AddField(json.items[i], *field, Join(prefix, field->name()), paths);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Paths> UpdateMaskOf(const JsonValue& json, const Descriptor& type) {
  Paths paths;
  absl::Status status = AddFields(json, &type, "", paths);
  if (!status.ok()) return status;
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace krypton::transcode
