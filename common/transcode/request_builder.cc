#include "common/transcode/request_builder.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/message.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/transcode/json_reader.h"
#include "common/transcode/query.h"
#include "common/transcode/update_mask.h"

namespace krypton::transcode {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::FieldMask;
using google::protobuf::Message;

// The only JSON value of a body that is not empty.
absl::StatusOr<JsonValue> ParseBody(absl::string_view body, const JsonLimits& limits) {
  absl::StatusOr<JsonValue> json = TakeJson(body, limits);
  if (json.ok() && !body.empty()) {
    return absl::InvalidArgumentError("something follows the JSON value of the body");
  }
  return json;
}

// A PATCH without a mask changes what its body names, and nothing else.
absl::Status FillUpdateMask(const JsonValue& json, const Route& route, Message& request) {
  if (route.update_mask == nullptr || route.body_field->message_type() == nullptr) {
    return absl::OkStatus();
  }
  auto* mask = google::protobuf::DynamicCastToGenerated<FieldMask>(
      request.GetReflection()->MutableMessage(&request, route.update_mask));
  if (mask->paths_size() > 0) return absl::OkStatus();
  absl::StatusOr<std::vector<std::string>> paths =
      UpdateMaskOf(json, *route.body_field->message_type());
  if (!paths.ok()) return paths.status();
  mask->mutable_paths()->Assign(paths->begin(), paths->end());
  return absl::OkStatus();
}

absl::Status SetFromBody(absl::string_view body, const Route& route, const JsonLimits& limits,
                         Message& request) {
  if (route.body == Route::Body::kNone) return absl::OkStatus();
  body = StripJsonSpace(body);
  if (route.body == Route::Body::kAll) {
    if (body.empty()) return absl::OkStatus();
    absl::StatusOr<JsonValue> json = ParseBody(body, limits);
    return json.ok() ? ReadJsonMessage(*json, request) : json.status();
  }
  const FieldDescriptor& field = *route.body_field;
  const bool is_message = field.message_type() != nullptr && !field.is_repeated();
  // Set even by an empty body, as grpc-gateway does.
  Message* target =
      is_message ? request.GetReflection()->MutableMessage(&request, &field) : nullptr;
  if (body.empty()) {
    return FillUpdateMask(JsonValue(), route, request);
  }
  absl::StatusOr<JsonValue> json = ParseBody(body, limits);
  if (!json.ok()) return json.status();
  absl::Status status =
      is_message ? ReadJsonMessage(*json, *target) : ReadJsonField(*json, field, request);
  return status.ok() ? FillUpdateMask(*json, route, request) : status;
}

// Servers take messages of this depth (protobuf's default), of which one level of a
// google.protobuf.Struct costs three; what is deeper they would call an internal error.
constexpr size_t kMaxMessageDepth = 100;
constexpr size_t kMinBytesOfLevel = 2;

// Whether `bytes`, which the message of a request came to, are a message to its server too.
absl::Status CheckDepth(const std::string& bytes, const Route& route) {
  if (bytes.size() < kMaxMessageDepth * kMinBytesOfLevel) return absl::OkStatus();
  if (std::unique_ptr<Message>(route.request_type->New())->ParseFromString(bytes)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("nested too deeply");
}

absl::StatusOr<std::vector<std::string>> BuildStream(const Route& route, absl::string_view body,
                                                     const JsonLimits& limits) {
  std::vector<std::string> requests;
  body = StripJsonSpace(body);
  while (!body.empty()) {
    absl::StatusOr<JsonValue> json = TakeJson(body, limits);
    if (!json.ok()) return json.status();
    const std::unique_ptr<Message> request(route.request_type->New());
    absl::Status status = ReadJsonMessage(*json, *request);
    if (!status.ok()) return status;
    requests.push_back(request->SerializeAsString());
    status = CheckDepth(requests.back(), route);
    if (!status.ok()) return status;
  }
  return requests;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> BuildRequests(const RouteTable::Found& found,
                                                       absl::string_view query,
                                                       absl::string_view body,
                                                       const JsonLimits& limits) {
  const Route& route = *found.route;
  if (route.method->client_streaming()) return BuildStream(route, body, limits);
  const std::unique_ptr<Message> request(route.request_type->New());
  absl::Status status = SetFromBody(body, route, limits, *request);
  if (!status.ok()) return status;
  for (size_t i = 0; i < route.variables.size(); ++i) {
    status = SetFromPath(route.variables[i], found.values[i], limits, *request);
    if (!status.ok()) return status;
  }
  if (route.takes_query) {
    absl::StatusOr<std::vector<QueryParameter>> parameters = ParseQuery(query);
    if (!parameters.ok()) return parameters.status();
    status = SetFromQuery(*parameters, route, limits, *request);
    if (!status.ok()) return status;
  }
  std::string bytes = request->SerializeAsString();
  status = CheckDepth(bytes, route);
  if (!status.ok()) return status;
  return std::vector<std::string>{std::move(bytes)};
}

}  // namespace krypton::transcode
