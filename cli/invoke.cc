#include "cli/invoke.h"

#include <httplib.h>
#include <signal.h>

#include <boost/json.hpp>
#include <fstream>
#include <iostream>
#include <sstream>

#include "cli/command.h"
#include "cli/target.h"
#include "common/config/address.h"
#include "common/config/flags.h"

namespace krypton::cli {
namespace {

absl::StatusOr<std::string> Body(const std::string& data) {
  if (!data.starts_with('@')) return data;
  std::ostringstream content;
  if (data == "@-") {
    content << std::cin.rdbuf();
    return content.str();
  }
  const std::ifstream file(data.substr(1));
  if (!file) return absl::NotFoundError("cannot read " + data.substr(1));
  content << file.rdbuf();
  return content.str();
}

absl::StatusOr<httplib::Headers> Headers(const std::vector<std::string>& lines) {
  httplib::Headers headers;
  for (const std::string& line : lines) {
    const size_t colon = line.find(':');
    if (colon == 0 || colon == std::string::npos ||
        line.find_first_of("\r\n") != std::string::npos) {
      return absl::InvalidArgumentError("--header \"" + line + "\" is not NAME: VALUE");
    }
    const size_t begin = line.find_first_not_of(' ', colon + 1);
    headers.emplace(line.substr(0, colon), begin == std::string::npos ? "" : line.substr(begin));
  }
  return headers;
}

// Path and query behind the agent's prefix.
std::string TargetOf(const Target& target, const std::string& path) {
  std::string prefix = "/v1/agents/" + target.agent_namespace + "/" + target.name;
  if (path.empty() || path.front() == '/' || path.front() == '?') return prefix + path;
  return prefix + "/" + path;
}

bool LooksLikeJson(const std::string& body) {
  boost::json::error_code error;
  boost::json::parse(body, error);
  return !error;
}

// What an error of the mesh says (design.md, "HTTP at the gateway"), else the agent's own body.
std::string ErrorText(const httplib::Response& response, const std::string& body) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(body, error);
  const auto* object = !error ? value.if_object() : nullptr;
  const auto* inner = object != nullptr ? object->if_contains("error") : nullptr;
  const auto* fields = inner != nullptr ? inner->if_object() : nullptr;
  const auto* message = fields != nullptr ? fields->if_contains("message") : nullptr;
  if (response.has_header("krypton-error") && message != nullptr && message->is_string()) {
    return response.get_header_value("krypton-error") + ": " + std::string(message->get_string());
  }
  return body;
}

std::string Head(const httplib::Response& response) {
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + " " + response.reason + "\n";
  for (const auto& [name, value] : response.headers) text += name + ": " + value + "\n";
  return text + "\n";
}

// One call; owns what cpp-httplib calls back into.
class Call {
 public:
  explicit Call(const InvokeOptions& options) : options_(options) {}

  int Run(const std::string& gateway, httplib::Request request) {
    request.response_handler = [this](const httplib::Response& response) {
      failed_ = response.status >= 400;
      return failed_ || !options_.include || Show(Head(response));
    };
    request.content_receiver = [this](const char* data, size_t size, uint64_t, uint64_t) {
      if (failed_) {
        error_body_.append(data, std::min(size, size_t{64 << 10} - error_body_.size()));
        return true;
      }
      return Show(std::string(data, size));
    };
    httplib::Client client("http://" + gateway);
    client.set_connection_timeout(std::chrono::seconds(5));
    client.set_read_timeout(options_.timeout);
    client.set_write_timeout(options_.timeout);
    client.set_url_encode(false);  // The user wrote the path.
    client.set_decompress(false);
    httplib::Response response;
    httplib::Error error = httplib::Error::Success;
    const bool answered = client.send(request, response, error);
    if (nobody_reads_ || (answered && !failed_)) return kOk;
    if (answered) return Refused(response);
    return Fail(absl::UnavailableError(
        error == httplib::Error::Connection
            ? "cannot reach the gateway at " + gateway +
                  "; start a mesh with 'krypton up DIR', or say where it is with --gateway or "
                  "KRYPTON_GATEWAY"
            : "the call to " + options_.target + " broke: " + httplib::to_string(error)));
  }

 private:
  bool Show(const std::string& text) {
    nobody_reads_ = !Print(text);
    return !nobody_reads_;
  }

  int Refused(const httplib::Response& response) const {
    fprintf(stderr, "krypton: %s answered %d %s\n%s\n", options_.target.c_str(), response.status,
            response.reason.c_str(), ErrorText(response, error_body_).c_str());
    return kFailed;
  }

  const InvokeOptions& options_;
  bool failed_ = false;
  bool nobody_reads_ = false;
  std::string error_body_;
};

}  // namespace

void AddInvoke(config::Flags& flags, InvokeOptions* options) {
  flags.AddPositional(&options->target, "NAMESPACE/NAME", "the agent");
  flags.Add(&options->path, "path",
            "path and query behind the agent's prefix; without it, spec.invocationPath", "PATH");
  flags.Add(&options->data, "data,d", "the body; @FILE reads a file, @- stdin", "TEXT");
  flags.Add(&options->method, "method,X", "HTTP method; without it POST with a body, else GET",
            "METHOD");
  flags.AddRepeated(&options->headers, "header,H", "a header field of the request",
                    "'NAME: VALUE'");
  flags.Add(&options->include, "include,i", "print the answer's head too");
  flags.Add(&options->timeout, "timeout", "how long the answer may be silent");
  AddGatewayFlag(flags, &options->addresses);
}

int RunInvoke(const InvokeOptions& options) {
  signal(SIGPIPE, SIG_IGN);  // A gateway that closes early is an error to tell.
  const auto target = ParseTarget(options.target);
  if (!target.ok()) return Fail(target.status());
  const auto body = Body(options.data);
  if (!body.ok()) return Fail(body.status());
  auto headers = Headers(options.headers);
  if (!headers.ok()) return Fail(headers.status());
  const Addresses found = FindAddresses(options.addresses, WellKnownReadyFile());
  if (const auto gateway = config::ParseHostPort(found.gateway); !gateway.ok()) {
    return Fail(
        absl::InvalidArgumentError("--gateway: " + std::string(gateway.status().message())));
  }
  httplib::Request request;
  request.method = !options.method.empty() ? options.method : body->empty() ? "GET" : "POST";
  request.path = TargetOf(*target, options.path);
  request.headers = *std::move(headers);
  if (!body->empty() && !request.has_header("Content-Type")) {
    request.set_header("Content-Type", LooksLikeJson(*body) ? "application/json" : "text/plain");
  }
  request.body = *body;
  return Call(options).Run(found.gateway, std::move(request));
}

}  // namespace krypton::cli
