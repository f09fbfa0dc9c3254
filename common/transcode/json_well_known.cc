#include "common/transcode/json_well_known.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/transcode/json_printer.h"
#include "common/transcode/json_reader.h"
#include "common/transcode/json_scalars.h"
#include "common/transcode/scalars.h"

namespace krypton::transcode {
namespace {

using google::protobuf::Any;
using google::protobuf::Descriptor;
using google::protobuf::DynamicCastToGenerated;
using google::protobuf::Message;
using Kind = JsonValue::Kind;

absl::Status Wrong(const Message& message, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(message.GetDescriptor()->name(), ": ", why));
}

// Messages are of the generated pool, so their class is the one that is linked in.
template <typename T>
T& As(Message& message) {
  return *DynamicCastToGenerated<T>(&message);
}
template <typename T>
const T& As(const Message& message) {
  return *DynamicCastToGenerated<T>(&message);
}

// Whether an Any holds it under the key `value`: what is no object by itself.
bool HasValueForm(const Message& message) {
  return message.GetDescriptor()->well_known_type() != Descriptor::WELLKNOWNTYPE_UNSPECIFIED;
}

// --- Reading ---

absl::Status ReadTimestamp(const JsonValue& json, Message& message) {
  if (json.kind != Kind::kString) return Wrong(message, "not a string");
  const std::optional<Instant> instant = ParseTimestamp(json.text);
  const size_t dot = json.text.find('.');
  const bool too_fine = dot != std::string::npos &&
                        json.text.find_first_of("Z+-", dot) - dot > sizeof(".999999999") - 1;
  if (!instant || too_fine) return Wrong(message, "not an RFC 3339 time");
  auto& timestamp = As<google::protobuf::Timestamp>(message);
  timestamp.set_seconds(instant->seconds);
  timestamp.set_nanos(instant->nanos);
  return absl::OkStatus();
}

absl::Status ReadDuration(const JsonValue& json, Message& message) {
  if (json.kind != Kind::kString) return Wrong(message, "not a string");
  const std::optional<Span> span = ParseJsonDuration(json.text);
  if (!span) return Wrong(message, "not seconds with an 's' behind them");
  auto& duration = As<google::protobuf::Duration>(message);
  duration.set_seconds(span->seconds);
  duration.set_nanos(span->nanos);
  return absl::OkStatus();
}

absl::Status ReadFieldMask(const JsonValue& json, Message& message) {
  if (json.kind != Kind::kString) return Wrong(message, "not a string");
  if (json.text.empty()) return absl::OkStatus();
  for (const absl::string_view part : absl::StrSplit(json.text, ',')) {
    const std::optional<std::string> path = MaskPathFromJson(part);
    if (!path) return Wrong(message, "not a camelCase field path");
    As<google::protobuf::FieldMask>(message).add_paths(*path);
  }
  return absl::OkStatus();
}

absl::Status ReadStruct(const JsonValue& json, Message& message) {
  return ReadJsonField(json, *message.GetDescriptor()->FindFieldByName("fields"), message);
}

absl::Status ReadListValue(const JsonValue& json, Message& message) {
  return ReadJsonField(json, *message.GetDescriptor()->FindFieldByName("values"), message);
}

absl::Status ReadValue(const JsonValue& json, Message& message) {
  auto& value = As<google::protobuf::Value>(message);
  switch (json.kind) {
    case Kind::kNull:
      value.set_null_value(google::protobuf::NULL_VALUE);
      break;
    case Kind::kFalse:
      value.set_bool_value(false);
      break;
    case Kind::kTrue:
      value.set_bool_value(true);
      break;
    case Kind::kString:
      value.set_string_value(json.text);
      break;
    case Kind::kArray:
      return ReadListValue(json, *value.mutable_list_value());
    case Kind::kObject:
      return ReadStruct(json, *value.mutable_struct_value());
    case Kind::kNumber: {
      const std::optional<double> number = ParseDouble(json.text);
      if (!number) return Wrong(message, "number out of range");
      value.set_number_value(*number);
      break;
    }
  }
  return absl::OkStatus();
}

// `{"@type": url, ...fields}`, or `{"@type": url, "value": ...}` for the types of this file.
absl::Status ReadAny(const JsonValue& json, Message& message) {
  if (json.kind != Kind::kObject) return Wrong(message, "not an object");
  if (json.items.empty()) return absl::OkStatus();
  const JsonValue* url = nullptr;
  const JsonValue* value = nullptr;
  for (size_t i = 0; i < json.items.size(); ++i) {
    const JsonValue** slot = json.keys[i] == "@type" ? &url : nullptr;
    if (json.keys[i] == "value") slot = &value;
    if (slot == nullptr) continue;
    if (*slot != nullptr) return Wrong(message, "doubled key");
    *slot = &json.items[i];
  }
  if (url == nullptr) return absl::OkStatus();  // Nothing but unknown fields, then.
  if (url->kind != Kind::kString || url->text.empty()) return Wrong(message, "@type is no URL");
  absl::StatusOr<std::unique_ptr<Message>> inner = NewMessageOf(url->text);
  if (!inner.ok()) return inner.status();
  absl::Status status;
  if (!HasValueForm(**inner)) {
    status = ReadJsonFields(json, **inner, "@type");
  } else {
    status = value == nullptr ? Wrong(message, "no value") : ReadWellKnown(*value, **inner);
  }
  if (!status.ok()) return status;
  auto& any = As<Any>(message);
  any.set_type_url(url->text);
  any.set_value((*inner)->SerializeAsString());
  return absl::OkStatus();
}

// --- Printing ---

absl::Status AppendAny(const Message& message, std::string& out) {
  const auto& any = As<Any>(message);
  if (any.type_url().empty()) {
    if (!any.value().empty()) return Wrong(message, "no type URL");
    out += "{}";
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<Message>> inner = NewMessageOf(any.type_url());
  if (!inner.ok()) return inner.status();
  if (!(*inner)->ParseFromString(any.value())) return Wrong(message, "cannot be parsed");
  out += "{\"@type\":";
  AppendJsonString(any.type_url(), out);
  absl::Status status;
  if (HasValueForm(**inner)) {
    out += ",\"value\":";
    status = AppendWellKnown(**inner, out);
  } else {
    status = AppendJsonFields(**inner, /*first=*/false, out);
  }
  out += '}';
  return status;
}

absl::Status AppendText(const std::optional<std::string>& text, const Message& message,
                        std::string& out) {
  if (!text) return Wrong(message, "out of range");
  AppendJsonString(*text, out);
  return absl::OkStatus();
}

absl::Status AppendFieldMask(const Message& message, std::string& out) {
  std::string text;
  for (const std::string& path : As<google::protobuf::FieldMask>(message).paths()) {
    const std::optional<std::string> camel = MaskPathToJson(path);
    if (!camel) return Wrong(message, "a path that JSON cannot say");
    absl::StrAppend(&text, text.empty() ? "" : ",", *camel);
  }
  AppendJsonString(text, out);
  return absl::OkStatus();
}

absl::Status AppendValue(const Message& message, std::string& out) {
  const auto& value = As<google::protobuf::Value>(message);
  using google::protobuf::Value;
  switch (value.kind_case()) {
    case Value::kNullValue:
      out += "null";
      break;
    case Value::kBoolValue:
      out += value.bool_value() ? "true" : "false";
      break;
    case Value::kStringValue:
      AppendJsonString(value.string_value(), out);
      break;
    case Value::kStructValue:
      return AppendWellKnown(value.struct_value(), out);
    case Value::kListValue:
      return AppendWellKnown(value.list_value(), out);
    case Value::kNumberValue:
      if (!std::isfinite(value.number_value())) return Wrong(message, "not a finite number");
      out += FormatDouble(value.number_value());
      break;
    case Value::KIND_NOT_SET:
      return Wrong(message, "none of its kinds is set");
  }
  return absl::OkStatus();
}

}  // namespace

bool IsWellKnown(const Descriptor& type) {
  return type.well_known_type() != Descriptor::WELLKNOWNTYPE_UNSPECIFIED ||
         type.full_name() == "google.protobuf.Empty";
}

absl::StatusOr<std::unique_ptr<Message>> NewMessageOf(absl::string_view type_url) {
  const size_t slash = type_url.rfind('/');
  const std::string name(slash == absl::string_view::npos ? type_url : type_url.substr(slash + 1));
  const Descriptor* type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  const Message* prototype =
      type == nullptr ? nullptr
                      : google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  if (prototype == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("Any: unknown type ", name));
  }
  return std::unique_ptr<Message>(prototype->New());
}

absl::Status ReadWellKnown(const JsonValue& json, Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_ANY:
      return ReadAny(json, message);
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return ReadTimestamp(json, message);
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return ReadDuration(json, message);
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return ReadFieldMask(json, message);
    case Descriptor::WELLKNOWNTYPE_VALUE:
      return ReadValue(json, message);
    case Descriptor::WELLKNOWNTYPE_STRUCT:
      if (json.kind != Kind::kObject) return Wrong(message, "not an object");
      return ReadStruct(json, message);
    case Descriptor::WELLKNOWNTYPE_LISTVALUE:
      if (json.kind != Kind::kArray) return Wrong(message, "not a list");
      return ReadListValue(json, message);
    case Descriptor::WELLKNOWNTYPE_UNSPECIFIED:  // Empty
      return ReadJsonFields(json, message);
    default:  // A wrapper: its one field.
      return ReadJsonScalar(json, *type.field(0), message);
  }
}

absl::Status AppendWellKnown(const Message& message, std::string& out) {
  const Descriptor& type = *message.GetDescriptor();
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_ANY:
      return AppendAny(message, out);
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP: {
      const auto& timestamp = As<google::protobuf::Timestamp>(message);
      return AppendText(FormatTimestamp({timestamp.seconds(), timestamp.nanos()}), message, out);
    }
    case Descriptor::WELLKNOWNTYPE_DURATION: {
      const auto& duration = As<google::protobuf::Duration>(message);
      return AppendText(FormatJsonDuration({duration.seconds(), duration.nanos()}), message, out);
    }
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return AppendFieldMask(message, out);
    case Descriptor::WELLKNOWNTYPE_VALUE:
      return AppendValue(message, out);
    case Descriptor::WELLKNOWNTYPE_UNSPECIFIED:  // Empty
      out += "{}";
      return absl::OkStatus();
    default:  // A wrapper, a Struct or a ListValue: its one field.
      return AppendJsonField(message, *type.field(0), out);
  }
}

}  // namespace krypton::transcode
