#include "common/transcode/query.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/transcode/field_setter.h"
#include "common/transcode/query_messages.h"
#include "common/transcode/scalars.h"

namespace krypton::transcode {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;

// Of a dotted name; deeper ones name nothing.
constexpr int kMaxDepth = 64;

// Above or below one another, or the same.
bool IsRelated(const FieldPath& a, const FieldPath& b) {
  const size_t common = std::min(a.size(), b.size());
  return std::equal(a.begin(), a.begin() + common, b.begin());
}

bool IsBound(const FieldPath& path, const Route& route) {
  if (path[0] == route.body_field) return true;
  return std::any_of(route.variables.begin(), route.variables.end(),
                     [&](const FieldPath& variable) { return IsRelated(path, variable); });
}

const FieldDescriptor* FindField(const Descriptor& type, const std::string& name) {
  const FieldDescriptor* field = type.FindFieldByName(name);
  for (int i = 0; field == nullptr && i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == name) field = type.field(i);
  }
  return field;
}

absl::Status Wrong(const FieldDescriptor& field, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("field \"", field.name(), "\": ", why));
}

// The fields that a dotted name goes through, as far as there are such fields.
struct Resolved {
  enum class End { kField, kUnknownName, kNotAMessage } end;
  FieldPath path;
};

Resolved Resolve(const Descriptor& request, absl::string_view dotted) {
  FieldPath path;
  const Descriptor* type = &request;
  if (std::count(dotted.begin(), dotted.end(), '.') >= kMaxDepth) {
    return {Resolved::End::kUnknownName, path};
  }
  for (const absl::string_view name : absl::StrSplit(dotted, '.')) {
    if (!path.empty() && (type == nullptr || path.back()->is_repeated())) {
      return {Resolved::End::kNotAMessage, path};
    }
    const FieldDescriptor* field = FindField(*type, std::string(name));
    if (field == nullptr) return {Resolved::End::kUnknownName, path};
    path.push_back(field);
    type = field->message_type();
  }
  return {Resolved::End::kField, path};
}

// A oneof that the request has set already, by another member or as a scalar, may not be set again.
absl::Status CheckOneof(const Message& message, const FieldDescriptor& field) {
  const OneofDescriptor* oneof = field.real_containing_oneof();
  if (oneof == nullptr || !message.GetReflection()->HasOneof(message, oneof)) {
    return absl::OkStatus();
  }
  const FieldDescriptor* set = message.GetReflection()->GetOneofFieldDescriptor(message, oneof);
  if (field.message_type() != nullptr && set == &field) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("field already set for oneof \"", oneof->name(), "\""));
}

// The message that holds the last field of `path`.
absl::StatusOr<Message*> Descend(const FieldPath& path, Message& request) {
  Message* message = &request;
  for (size_t i = 0; i < path.size(); ++i) {
    absl::Status status = CheckOneof(*message, *path[i]);
    if (!status.ok()) return status;
    if (i + 1 < path.size()) {
      message = message->GetReflection()->MutableMessage(message, path[i]);
    }
  }
  return message;
}

// An unknown name below messages sets those, to nothing, as grpc-gateway does.
absl::Status Reach(const FieldPath& path, Message& request) {
  if (path.back()->is_repeated() || path.back()->message_type() == nullptr) {
    return absl::OkStatus();
  }
  absl::StatusOr<Message*> message = Descend(path, request);
  if (!message.ok()) return message.status();
  (*message)->GetReflection()->MutableMessage(*message, path.back());
  return absl::OkStatus();
}

// Sets one value, or adds it to a list.
absl::Status SetValue(const std::string& value, const FieldDescriptor& field,
                      const JsonLimits& limits, Message& message) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    if (SetScalarText(value, field, message)) return absl::OkStatus();
    return Wrong(field, absl::StrCat("not a value of type ", field.type_name()));
  }
  const Reflection& reflection = *message.GetReflection();
  if (!field.is_repeated()) reflection.ClearField(&message, &field);
  Message* target = field.is_repeated() ? reflection.AddMessage(&message, &field)
                                        : reflection.MutableMessage(&message, &field);
  absl::Status status = ReadQueryMessage(value, limits, *target);
  return status.ok() ? status : Wrong(field, status.message());
}

absl::Status SetMapEntry(const std::string& key, const std::vector<std::string>& values,
                         const FieldDescriptor& field, const JsonLimits& limits, Message& message) {
  if (values.size() != 1) return Wrong(field, "more than one value for a key of the map");
  Message* entry = message.GetReflection()->AddMessage(&message, &field);
  if (!SetScalarText(key, *field.message_type()->map_key(), *entry)) {
    return Wrong(field, "not a key of this map");
  }
  return SetValue(values[0], *field.message_type()->map_value(), limits, *entry);
}

// `name[key]` in two.
struct KeyParts {
  absl::string_view name;
  std::optional<std::string> map_key;
};

KeyParts SplitKey(absl::string_view key) {
  const size_t open = key.rfind('[');
  if (open == absl::string_view::npos || !absl::EndsWith(key, "]")) return {key, std::nullopt};
  return {key.substr(0, open), std::string(key.substr(open + 1, key.size() - open - 2))};
}

absl::Status SetParameter(const FieldPath& path, const KeyParts& key,
                          const std::vector<std::string>& values, const JsonLimits& limits,
                          Message& request) {
  absl::StatusOr<Message*> message = Descend(path, request);
  if (!message.ok()) return message.status();
  const FieldDescriptor& field = *path.back();
  if (key.map_key && !field.is_map()) return Wrong(field, "is not a map");
  if (field.is_map()) {
    if (!key.map_key) return Wrong(field, "is a map: name[key]=value");
    return SetMapEntry(*key.map_key, values, field, limits, **message);
  }
  if (values.size() > 1 && !field.is_repeated()) return Wrong(field, "too many values");
  for (const std::string& value : values) {
    absl::Status status = SetValue(value, field, limits, **message);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<QueryParameter>> ParseQuery(absl::string_view query) {
  std::vector<QueryParameter> parameters;
  std::map<std::string, size_t> places;
  for (const absl::string_view pair : absl::StrSplit(query, '&')) {
    if (pair.empty()) continue;
    if (absl::StrContains(pair, ';')) {
      return absl::InvalidArgumentError("invalid semicolon separator in query");
    }
    const size_t equals = pair.find('=');
    std::optional<std::string> key = DecodePercent(pair.substr(0, equals), true);
    std::optional<std::string> value = equals == absl::string_view::npos
                                           ? std::optional<std::string>("")
                                           : DecodePercent(pair.substr(equals + 1), true);
    if (!key || !value) return absl::InvalidArgumentError("invalid URL escape in query");
    const auto [place, is_new] = places.emplace(*key, parameters.size());
    if (is_new) parameters.push_back({*std::move(key), {}});
    parameters[place->second].values.push_back(*std::move(value));
  }
  return parameters;
}

absl::Status SetFromQuery(const std::vector<QueryParameter>& parameters, const Route& route,
                          const JsonLimits& limits, Message& request) {
  std::set<std::pair<FieldPath, std::optional<std::string>>> seen;
  for (const QueryParameter& parameter : parameters) {
    const KeyParts key = SplitKey(parameter.key);
    const Resolved resolved = Resolve(*request.GetDescriptor(), key.name);
    if (resolved.path.empty() || IsBound(resolved.path, route)) continue;
    if (resolved.end == Resolved::End::kNotAMessage) {
      return Wrong(*resolved.path.back(), "is not a message");
    }
    if (resolved.end == Resolved::End::kUnknownName) {
      absl::Status status = Reach(resolved.path, request);
      if (!status.ok()) return status;
      continue;
    }
    if (!seen.insert({resolved.path, key.map_key}).second) {
      return absl::InvalidArgumentError(absl::StrCat("duplicate field \"", parameter.key, "\""));
    }
    absl::Status status = SetParameter(resolved.path, key, parameter.values, limits, request);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SetFromPath(const FieldPath& path, const std::string& value, const JsonLimits& limits,
                         Message& request) {
  absl::StatusOr<Message*> message = Descend(path, request);
  const bool nested = path.size() > 1;
  // grpc-gateway checks the oneof of a nested variable only; a variable at the top replaces a
  // member.
  if (!message.ok() && nested) return message.status();
  Message& target = message.ok() ? **message : request;
  const FieldDescriptor& field = *path.back();
  if (!nested && field.message_type() != nullptr) {
    return ReadPathMessage(value, *target.GetReflection()->MutableMessage(&target, &field));
  }
  if (!field.is_repeated() || nested) return SetValue(value, field, limits, target);
  target.GetReflection()->ClearField(&target, &field);
  for (const absl::string_view part : absl::StrSplit(value, ',')) {
    absl::Status status = SetValue(std::string(part), field, limits, target);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace krypton::transcode
