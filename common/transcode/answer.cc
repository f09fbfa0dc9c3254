#include "common/transcode/answer.h"

#include <google/api/httpbody.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/transcode/http_status.h"
#include "common/transcode/json_printer.h"
#include "common/transcode/metadata.h"

namespace krypton::transcode {
namespace {

using google::api::HttpBody;
using google::protobuf::Message;

constexpr char kJson[] = "application/json";
constexpr int kUnauthenticated = 16;
constexpr int kInternal = 13;

// Printing an Any of google.rpc needs the types linked in; a reference does that.
const google::protobuf::Descriptor* const kErrorDetails = google::rpc::ErrorInfo::descriptor();

// google.rpc.Status as the server meant it: with details when it sent them for this very code.
google::rpc::Status FullStatus(const CallStatus& status) {
  google::rpc::Status full;
  if (!status.details.empty() && full.ParseFromString(status.details) &&
      full.code() == status.code) {
    return full;
  }
  full.Clear();
  full.set_code(status.code);
  full.set_message(status.message);
  return full;
}

absl::StatusOr<std::string> StatusJson(const CallStatus& status) {
  return PrintJson(FullStatus(status));
}

// A header can hold neither control characters nor line ends.
std::string HeaderText(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return text;
}

absl::StatusOr<std::unique_ptr<Message>> ParseResponse(const Route& route,
                                                       const std::string& bytes) {
  std::unique_ptr<Message> message(route.response_type->New());
  if (message->ParseFromString(bytes)) return message;
  return absl::InternalError(absl::StrCat(route.rpc_path, ": the response cannot be parsed"));
}

// The part of the message that is the answer, as JSON.
absl::StatusOr<std::string> ResultJson(const Route& route, const Message& message) {
  if (route.response_field == nullptr) return PrintJson(message);
  std::string json;
  absl::Status status = AppendJsonField(message, *route.response_field, json);
  if (!status.ok()) return status;
  return json;
}

const HttpBody* AsHttpBody(const Message& message) {
  return google::protobuf::DynamicCastToGenerated<HttpBody>(&message);
}

// The HttpBody that response_body names, if it names one.
const HttpBody* FieldHttpBody(const Route& route, const Message& message) {
  if (route.response_field == nullptr || route.response_field->message_type() == nullptr ||
      route.response_field->is_repeated()) {
    return nullptr;
  }
  return AsHttpBody(message.GetReflection()->GetMessage(message, route.response_field));
}

// The response is there, but JSON cannot say it; grpc-gateway's code for that is UNKNOWN.
absl::Status Unprintable(const absl::Status& why) {
  return absl::UnknownError(absl::StrCat("the response cannot be printed: ", why.message()));
}

}  // namespace

Response ErrorAnswer(const CallStatus& status, int http_status) {
  Response response;
  response.status = http_status != 0 ? http_status : HttpStatusOf(status.code);
  response.headers.push_back({"Content-Type", kJson});
  if (status.code == kUnauthenticated) {
    response.headers.push_back({"WWW-Authenticate", HeaderText(status.message)});
  }
  absl::StatusOr<std::string> body = StatusJson(status);
  if (!body.ok()) {
    response.status = HttpStatusOf(kInternal);
    body = R"({"code": 13, "message": "failed to marshal error message"})";
  }
  response.body = *std::move(body);
  return response;
}

Response ErrorAnswer(const absl::Status& status, int http_status) {
  return ErrorAnswer(CallStatus{static_cast<int>(status.code()), std::string(status.message()), ""},
                     http_status);
}

Response MessageAnswer(const Route& route, const std::string& bytes) {
  absl::StatusOr<std::unique_ptr<Message>> message = ParseResponse(route, bytes);
  if (!message.ok()) return ErrorAnswer(message.status());
  Response response;
  if (const HttpBody* body = AsHttpBody(**message)) {
    response.headers.push_back({"Content-Type", HeaderText(body->content_type())});
    response.body = body->data();
    return response;
  }
  response.headers.push_back({"Content-Type", kJson});
  if (const HttpBody* body = FieldHttpBody(route, **message)) {
    response.body = body->data();
    return response;
  }
  absl::StatusOr<std::string> json = ResultJson(route, **message);
  if (!json.ok()) return ErrorAnswer(Unprintable(json.status()));
  response.body = *std::move(json);
  return response;
}

absl::StatusOr<Line> ResultLine(const Route& route, const std::string& bytes) {
  absl::StatusOr<std::unique_ptr<Message>> message = ParseResponse(route, bytes);
  if (!message.ok()) return message.status();
  if (const HttpBody* body = AsHttpBody(**message)) {
    return Line{absl::StrCat(body->data(), "\n"), HeaderText(body->content_type())};
  }
  absl::StatusOr<std::string> json = ResultJson(route, **message);
  if (!json.ok()) return Unprintable(json.status());
  return Line{absl::StrCat("{\"result\":", *json, "}\n"), kJson};
}

std::string ErrorLine(const CallStatus& status) {
  absl::StatusOr<std::string> json = StatusJson(status);
  if (!json.ok()) json = StatusJson({kInternal, "failed to marshal error message", ""});
  return absl::StrCat("{\"error\":", *json, "}\n");
}

void AddMetadataHeaders(const std::vector<Header>& metadata, Response& response) {
  for (const Header& entry : metadata) {
    response.headers.push_back(HeaderOf("Grpc-Metadata-", entry.name, entry.value));
  }
}

void AddTrailers(const std::vector<Header>& trailers, Response& response) {
  std::vector<Header> fields;
  std::set<std::string> names;
  for (const Header& trailer : trailers) {
    if (trailer.name == "grpc-status-details-bin") continue;  // The body says it.
    fields.push_back(HeaderOf("Grpc-Trailer-", trailer.name, trailer.value));
    if (names.insert(fields.back().name).second) {
      response.headers.push_back({"Trailer", fields.back().name});
    }
  }
  if (fields.empty()) return;
  response.stream = std::make_unique<BodyStream>(
      [body = std::move(response.body), fields = std::move(fields),
       sent = false](std::chrono::milliseconds) mutable -> BodyStream::Piece {
        if (std::exchange(sent, true)) return {BodyStream::State::kEnd, "", fields};
        return {BodyStream::State::kData, std::move(body), {}};
      });
  response.body.clear();
}

}  // namespace krypton::transcode
