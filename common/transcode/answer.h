#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/transcode/call.h"
#include "common/transcode/route_table.h"
#include "common/transcode/transcoder.h"

// What a request is answered with (grpc-gateway v2.33.0, runtime/handler.go and errors.go).
namespace krypton::transcode {

// `{"code":5,"message":"...","details":[]}` under the HTTP status of its code, or under
// `http_status` if that is not 0.
Response ErrorAnswer(const CallStatus& status, int http_status = 0);
// For what the transcoder itself refuses.
Response ErrorAnswer(const absl::Status& status, int http_status = 0);

// One answer of a unary RPC from its message's bytes: JSON, or the bytes of a google.api.HttpBody.
Response MessageAnswer(const Route& route, const std::string& bytes);

// Of a stream: one line, `{"result":...}`; of an HttpBody its bytes. Both end with a line feed.
struct Line {
  std::string text;
  std::string content_type;
};
absl::StatusOr<Line> ResultLine(const Route& route, const std::string& bytes);
// `{"error":...}` and a line feed.
std::string ErrorLine(const CallStatus& status);

// Adds `Grpc-Metadata-*`.
void AddMetadataHeaders(const std::vector<Header>& metadata, Response& response);
// Announces the trailers and turns the body into a stream that ends with them.
void AddTrailers(const std::vector<Header>& trailers, Response& response);

}  // namespace krypton::transcode
