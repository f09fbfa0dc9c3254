#include "common/http/error.h"

#include <array>

#include "common/log/format.h"

namespace krypton::http {
namespace {

struct Row {
  std::string_view name;
  int status;
};

// design.md §4, in the order of ErrorCode.
constexpr std::array<Row, 13> kTable{{
    {"bad_request", 400},
    {"agent_not_found", 404},
    {"model_not_found", 404},
    {"body_too_large", 413},
    {"headers_too_large", 431},
    {"request_timeout", 408},
    {"queue_full", 503},
    {"over_capacity", 503},
    {"shutting_down", 503},
    {"start_timeout", 504},
    {"loop_detected", 508},
    {"agent_timeout", 504},
    {"agent_unreachable", 502},
}};

}  // namespace

std::string_view CodeName(ErrorCode code) { return kTable[static_cast<size_t>(code)].name; }

int StatusOf(ErrorCode code) { return kTable[static_cast<size_t>(code)].status; }

std::string_view ErrorType(ErrorCode code) {
  return StatusOf(code) < 500 ? "invalid_request_error" : "server_error";
}

std::string ErrorBody(const Error& error) {
  std::string body = R"({"error":{"code":")";
  body.append(CodeName(error.code)).append(R"(","message":)");
  // It may quote what a stranger sent: any bytes.
  log::AppendJsonString(body, error.message);
  body.append(R"(,"type":")").append(ErrorType(error.code)).append(R"(","param":)");
  if (error.param.empty()) {
    body.append("null");
  } else {
    log::AppendJsonString(body, error.param);
  }
  body.append("}}\n");
  return body;
}

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 508:
      return "Loop Detected";
    default:
      return "Unknown";
  }
}

}  // namespace krypton::http
