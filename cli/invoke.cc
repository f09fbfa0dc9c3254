#include "cli/invoke.h"

#include <httplib.h>
#include <signal.h>

#include <boost/json.hpp>
#include <fstream>
#include <iostream>
#include <sstream>

#include "cli/command.h"
#include "cli/gateway_call.h"
#include "cli/model_request.h"
#include "cli/printable.h"
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

std::string Head(const httplib::Response& response) {
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + " " + response.reason + "\n";
  for (const auto& [name, value] : response.headers) text += name + ": " + value + "\n";
  return text + "\n";
}

// One call; owns what cpp-httplib calls back into.
class Call {
 public:
  Call(const InvokeOptions& options, const GatewayCall& call) : options_(options), call_(call) {}

  // Prints the answer unless it is a refusal.
  void Run(httplib::Request request) {
    request.response_handler = [this](const httplib::Response& response) {
      silence_.Broken();
      failed_ = response.status >= 400;
      return failed_ || !options_.include || Show(Head(response));
    };
    request.content_receiver = [this](const char* data, size_t size, uint64_t, uint64_t) {
      silence_.Broken();
      if (failed_) {
        error_body_.append(data, std::min(size, size_t{64 << 10} - error_body_.size()));
        return true;
      }
      return Show(std::string(data, size));
    };
    silence_.Broken();
    answered_ = NewGatewayClient(call_)->send(request, response_, error_);
    silence_length_ = silence_.length();
  }

  // The gateway knows no agent of this name.
  bool no_such_agent() const {
    return answered_ && failed_ && response_.get_header_value("krypton-error") == "agent_not_found";
  }

  // The exit status; says what went wrong.
  int End() const {
    if (nobody_reads_ || (answered_ && !failed_)) return kOk;
    if (!answered_) return Fail(BrokenCall(call_, error_, silence_length_));
    if (options_.include) Print(Head(response_));
    const std::string refusal = Printable(RefusalText(call_, response_, error_body_));
    fprintf(stderr, "krypton: %s\n", refusal.c_str());
    return kFailed;
  }

 private:
  bool Show(const std::string& text) {
    nobody_reads_ = !Print(text);
    return !nobody_reads_;
  }

  const InvokeOptions& options_;
  const GatewayCall& call_;
  bool answered_ = false;
  bool failed_ = false;
  bool nobody_reads_ = false;
  Silence silence_;
  std::chrono::milliseconds silence_length_{};
  std::string error_body_;
  httplib::Response response_;
  httplib::Error error_ = httplib::Error::Success;
};

bool IsModel(const GatewayCall& call, const std::string& id) {
  const httplib::Result answer = NewGatewayClient(call)->Get(("/v1/models/" + id).c_str());
  return answer && answer->status == 200;
}

int InvokeModel(const InvokeOptions& options, const GatewayCall& call, const std::string& id,
                const std::string& body, httplib::Headers headers) {
  const auto model = MakeModelRequest(id, options.path, body);
  if (!model.ok()) return Fail(model.status());
  httplib::Request request;
  request.method = options.method.empty() ? "POST" : options.method;
  request.path = model->path;
  request.headers = std::move(headers);
  if (!request.has_header("Content-Type")) request.set_header("Content-Type", "application/json");
  request.body = model->body;
  Call invocation(options, call);
  invocation.Run(std::move(request));
  return invocation.End();
}

}  // namespace

void AddInvoke(config::Flags& flags, InvokeOptions* options) {
  flags.AddPositional(&options->target, "NAMESPACE/NAME", "the agent or model");
  flags.Add(
      &options->path, "path",
      "path and query behind the agent's prefix (without it, spec.invocationPath); of a model the "
      "route, such as embeddings",
      "PATH");
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
  const GatewayCall call{
      .gateway = found.gateway, .target = options.target, .timeout = options.timeout};
  if (const auto gateway = config::ParseHostPort(found.gateway); !gateway.ok()) {
    return Fail(
        absl::InvalidArgumentError("--gateway: " + std::string(gateway.status().message())));
  }
  httplib::Request request;
  request.method = !options.method.empty() ? options.method : body->empty() ? "GET" : "POST";
  request.path = TargetOf(*target, options.path);
  request.headers = *headers;
  if (!body->empty() && !request.has_header("Content-Type")) {
    request.set_header("Content-Type", LooksLikeJson(*body) ? "application/json" : "text/plain");
  }
  request.body = *body;
  Call invocation(options, call);
  invocation.Run(std::move(request));
  const std::string id = target->agent_namespace + "/" + target->name;
  if (invocation.no_such_agent()) {
    if (IsModel(call, id)) return InvokeModel(options, call, id, *body, *std::move(headers));
    return Fail(absl::NotFoundError("there is neither an agent nor a model " + id +
                                    " at the gateway " + found.gateway +
                                    "; 'krypton get agents' and 'krypton get models' list them"));
  }
  return invocation.End();
}

}  // namespace krypton::cli
