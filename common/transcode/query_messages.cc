#include "common/transcode/query_messages.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/transcode/field_setter.h"
#include "common/transcode/json_reader.h"
#include "common/transcode/scalars.h"

namespace krypton::transcode {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DynamicCastToGenerated;
using google::protobuf::Message;

absl::Status SetTimestamp(const std::string& text, Message& message) {
  const std::optional<Instant> instant = ParseTimestamp(text);
  if (!instant) return absl::InvalidArgumentError("not an RFC 3339 time");
  auto* timestamp = DynamicCastToGenerated<google::protobuf::Timestamp>(&message);
  timestamp->set_seconds(instant->seconds);
  timestamp->set_nanos(instant->nanos);
  return absl::OkStatus();
}

absl::Status SetDuration(const std::optional<Span>& span, Message& message) {
  if (!span) return absl::InvalidArgumentError("not a duration");
  auto* duration = DynamicCastToGenerated<google::protobuf::Duration>(&message);
  duration->set_seconds(span->seconds);
  duration->set_nanos(span->nanos);
  return absl::OkStatus();
}

absl::Status SetFieldMask(const std::string& text, Message& message) {
  if (text.empty()) return absl::OkStatus();
  for (const absl::string_view path : absl::StrSplit(text, ',')) {
    DynamicCastToGenerated<google::protobuf::FieldMask>(&message)->add_paths(std::string(path));
  }
  return absl::OkStatus();
}

absl::Status SetJson(absl::string_view text, const JsonLimits& limits, Message& message) {
  text = StripJsonSpace(text);
  if (text.empty()) return absl::InvalidArgumentError("not JSON");
  absl::StatusOr<JsonValue> json = TakeJson(text, limits);
  if (!json.ok()) return json.status();
  if (!text.empty()) return absl::InvalidArgumentError("more than one JSON value");
  return ReadJsonMessage(*json, message);
}

}  // namespace

absl::Status ReadQueryMessage(const std::string& text, const JsonLimits& limits, Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return SetTimestamp(text, message);
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return SetDuration(ParseGoDuration(text), message);
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return SetFieldMask(text, message);
    case Descriptor::WELLKNOWNTYPE_STRUCT:
    case Descriptor::WELLKNOWNTYPE_VALUE:
      return SetJson(text, limits, message);
    case Descriptor::WELLKNOWNTYPE_ANY:
    case Descriptor::WELLKNOWNTYPE_LISTVALUE:
      break;
    case Descriptor::WELLKNOWNTYPE_UNSPECIFIED:
      if (type.full_name() == "google.protobuf.Empty" && (text.empty() || text == "{}")) {
        return absl::OkStatus();
      }
      break;
    default:
      if (SetScalarText(text, *type.field(0), message)) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat("not a ", type.name()));
  }
  return absl::InvalidArgumentError(absl::StrCat("unsupported message type: ", type.full_name()));
}

absl::Status ReadPathMessage(const std::string& text, Message& message) {
  if (message.GetDescriptor()->well_known_type() == Descriptor::WELLKNOWNTYPE_DURATION) {
    return SetDuration(ParseJsonDuration(text), message);
  }
  return ReadQueryMessage(text, JsonLimits(), message);
}

}  // namespace krypton::transcode
