#include "gateway/invoke.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/resource/key.h"
#include "common/rpc/status.h"
#include "gateway/openai/model_scan.h"
#include "gateway/route.h"

namespace krypton::gateway {
namespace {

constexpr size_t kMaxPathBytes = 8 * 1024;
// The gateway's own business: framing, and what goes from hop to hop.
constexpr std::array<std::string_view, 9> kNotTaken = {
    "connection", "content-length", "expect",  "keep-alive",       "proxy-connection",
    "te",         "trailer",        "upgrade", "transfer-encoding"};
// Of an answer: gRPC has its own framing.
constexpr std::array<std::string_view, 4> kNotPassedOn = {"connection", "keep-alive", "trailer",
                                                          "transfer-encoding"};

bool IsAmong(std::string_view name, auto& names) {
  return std::ranges::any_of(
      names, [&](std::string_view other) { return http::EqualsIgnoreCase(name, other); });
}

// RFC 9110 §5.6.2.
bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || kMarks.find(c) != kMarks.npos;
  });
}

// RFC 9110 §5.5.
bool IsFieldValue(std::string_view text) {
  const auto is_control = [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; };
  return std::ranges::none_of(text, is_control);
}

bool IsTargetPart(std::string_view text) {
  return text.size() <= kMaxPathBytes && std::ranges::all_of(text, [](unsigned char c) {
           return c > 0x20 && c < 0x7f && c != '#';
         });
}

// "ipv4:10.0.0.7:41000" and "ipv6:%5B::1%5D:41000" without scheme and port.
std::string PeerAddress(std::string_view peer) {
  if (peer.starts_with("ipv4:")) {
    peer.remove_prefix(5);
    return std::string(peer.substr(0, peer.rfind(':')));
  }
  if (!peer.starts_with("ipv6:")) return "unix";
  peer.remove_prefix(5);
  peer = peer.substr(0, peer.rfind(':'));
  if (peer.starts_with("%5B")) peer = peer.substr(3, peer.rfind("%5D") - 3);
  if (peer.starts_with("[")) peer = peer.substr(1, peer.rfind(']') - 1);
  return std::string(peer);
}

absl::Status TakeFields(const v1::InvokeRequest& request, http::LocalRequest& local) {
  for (const v1::HeaderField& field : request.headers()) {
    if (!IsToken(field.name())) {
      return rpc::InvalidField("headers.name", "a header's name is no token (RFC 9110 §5.6.2)");
    }
    if (!IsFieldValue(field.value())) {
      return rpc::InvalidField("headers.value",
                               absl::StrCat("the value of ", field.name(), " has control bytes"));
    }
    if (http::EqualsIgnoreCase(field.name(), "host")) {
      local.host = field.value();
    } else if (IsAmong(field.name(), kNotTaken)) {
      return rpc::InvalidField("headers.name",
                               absl::StrCat(field.name(), " is the gateway's to say"));
    } else {
      local.fields.emplace_back(field.name(), field.value());
    }
  }
  return absl::OkStatus();
}

absl::StatusCode CodeOf(std::string_view error) {
  if (error == "bad_request") return absl::StatusCode::kInvalidArgument;
  if (error == "agent_not_found" || error == "model_not_found") return absl::StatusCode::kNotFound;
  if (error == "body_too_large" || error == "headers_too_large" || error == "queue_full") {
    return absl::StatusCode::kResourceExhausted;
  }
  if (error == "request_timeout" || error == "start_timeout" || error == "agent_timeout") {
    return absl::StatusCode::kDeadlineExceeded;
  }
  if (error == "loop_detected") return absl::StatusCode::kFailedPrecondition;
  return absl::StatusCode::kUnavailable;
}

std::string MessageIn(std::string_view body) {
  boost::system::error_code error;
  const boost::json::value root = boost::json::parse({body.data(), body.size()}, error);
  if (error) return "";
  const boost::json::value* message = root.find_pointer("/error/message", error);
  if (message == nullptr || !message->is_string()) return "";
  return std::string(message->get_string());
}

}  // namespace

namespace {

// All but target and body.
absl::StatusOr<http::LocalRequest> Begin(const v1::InvokeRequest& request, std::string_view peer) {
  if (!resource::IsDnsLabel(request.namespace_())) {
    return rpc::InvalidField("namespace", "namespace is no RFC 1123 label");
  }
  if (!resource::IsDnsLabel(request.name())) {
    return rpc::InvalidField("name", "name is no RFC 1123 label");
  }
  if (!request.method().empty() && !IsToken(request.method())) {
    return rpc::InvalidField("method", "method is no token (RFC 9110 §5.6.2)");
  }
  const std::string& path = request.path();
  if (!path.empty() && path[0] != '/' && path[0] != '?') {
    return rpc::InvalidField("path", "path begins with '/', or is a query alone");
  }
  if (!IsTargetPart(path)) {
    return rpc::InvalidField("path", "path is longer than 8 KiB or has bytes that a URL has not");
  }
  http::LocalRequest local;
  local.method = request.method();
  if (local.method.empty()) local.method = request.body().empty() ? "GET" : "POST";
  local.host = "localhost";
  local.peer = PeerAddress(peer);
  if (absl::Status status = TakeFields(request, local); !status.ok()) return status;
  return local;
}

// The body with a first member that names the model. Requires: it is a JSON object.
std::string WithModel(std::string_view body, const std::string& id) {
  const size_t inside = body.find('{') + 1;
  const size_t next = body.find_first_not_of(" \t\r\n", inside);
  const char* const comma = body[next] == '}' ? "" : ",";
  return absl::StrCat(std::string(body.substr(0, inside)), "\"model\":\"", id, "\"", comma,
                      std::string(body.substr(inside)));
}

}  // namespace

absl::StatusOr<http::LocalRequest> ToLocalRequest(const v1::InvokeRequest& request,
                                                  std::string_view peer) {
  absl::StatusOr<http::LocalRequest> local = Begin(request, peer);
  if (!local.ok()) return local;
  local->target =
      absl::StrCat("/v1/agents/", request.namespace_(), "/", request.name(), request.path());
  local->body = request.body();
  return local;
}

absl::StatusOr<http::LocalRequest> ToModelRequest(const v1::InvokeRequest& request,
                                                  std::string_view peer, const ModelTable& models) {
  absl::StatusOr<http::LocalRequest> local = Begin(request, peer);
  if (!local.ok()) return local;
  local->method = request.method().empty() ? "POST" : request.method();
  local->target = request.path().empty() ? "/v1/chat/completions" : request.path();
  if (ParseRoute(local->target).kind != RouteKind::kModelCall) {
    return rpc::InvalidField("path",
                             "a model is called by /v1/chat/completions, /v1/completions, "
                             "/v1/embeddings or /v1/responses");
  }
  const std::string id = request.namespace_() + "/" + request.name();
  ModelScan scan(ModelScan::Extent::kWhole);
  scan.Feed(request.body());
  if (scan.End() == ModelScan::State::kFound) {
    const ModelRoutePtr named = models.Find(scan.model());
    if (named == nullptr || resource::ToString(named->entry->key()) != id) {
      return rpc::InvalidField("body", "the body names another model than the request");
    }
    local->body = request.body();
  } else if (scan.names_none()) {
    local->body = WithModel(request.body(), id);
  } else {
    return rpc::InvalidField("body", scan.problem());
  }
  return local;
}

std::string_view MeshError(const http::ResponseHead& head) {
  return head.fields.Get("krypton-error");
}

absl::Status ToStatus(std::string_view code, std::string_view body, std::string_view agent) {
  const std::string error(code);
  std::string message = MessageIn(body);
  if (message.empty()) message = error;
  return rpc::Error(CodeOf(code), absl::AsciiStrToUpper(error), std::move(message),
                    {{"agent", std::string(agent)}});
}

void FillHead(const http::ResponseHead& head, v1::ResponseHead& response) {
  response.set_status(head.status);
  for (const http::Field& field : head.fields) {
    if (IsAmong(field.name, kNotPassedOn)) continue;
    v1::HeaderField& header = *response.add_headers();
    header.set_name(std::string(field.name));
    header.set_value(std::string(field.value));
  }
}

void FillTrailers(const http::Fields& trailers, v1::ResponseTrailers& response) {
  for (const http::Field& field : trailers) {
    v1::HeaderField& header = *response.add_headers();
    header.set_name(std::string(field.name));
    header.set_value(std::string(field.value));
  }
}

}  // namespace krypton::gateway
