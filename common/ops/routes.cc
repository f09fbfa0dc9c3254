#include "common/ops/routes.h"

#include <strings.h>

#include <array>
#include <optional>

#include "common/config/percent.h"
#include "common/config/version.h"
#include "common/log/format.h"
#include "common/metrics/exposition.h"

namespace krypton::ops {
namespace {

constexpr std::array<std::string_view, 4> kQuickPaths = {"/metrics", "/healthz", "/readyz",
                                                         "/version"};

bool IsQuickPath(std::string_view path) {
  for (const std::string_view quick : kQuickPaths) {
    if (path == quick) return true;
  }
  return false;
}

transcode::Response Text(int status, std::string body) {
  return {status,
          {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}},
          std::move(body),
          nullptr};
}

// One line a check, as Kubernetes' own servers write them.
struct CheckList {
  std::string lines;
  bool ok = true;

  void Add(const std::string& name, const absl::Status& status) {
    ok = ok && status.ok();
    lines += status.ok() ? "[+]" + name + " ok\n"
                         : "[-]" + name + ": " + std::string(status.message()) + "\n";
  }
};

// google.rpc.Status as JSON, as the transcoder's errors look.
transcode::Response JsonError(int status, int code, std::string_view message) {
  std::string body = "{\"code\":" + std::to_string(code) + ",\"message\":";
  log::AppendJsonString(body, message);
  return {status, {{"Content-Type", "application/json"}}, body + ",\"details\":[]}", nullptr};
}

transcode::Response MethodNotAllowed(const std::string& allow) {
  transcode::Response response = JsonError(405, 12, "Method Not Allowed");
  response.headers.push_back({"Allow", allow});
  return response;
}

// A text with a broken escape stays as it is.
std::string Decode(std::string_view text, bool plus_is_space) {
  return config::DecodePercent(text, plus_is_space).value_or(std::string(text));
}

std::multimap<std::string, std::string> ParseQuery(std::string_view query) {
  std::multimap<std::string, std::string> parameters;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    parameters.emplace(Decode(pair.substr(0, equals), true),
                       Decode(pair.substr(std::min(equals + 1, pair.size())), true));
  }
  return parameters;
}

std::string VersionJson(const std::string& component) {
  std::string json = "{\"component\":";
  log::AppendJsonString(json, component);
  for (const auto& [key, value] :
       {std::pair("version", config::Version()), std::pair("commit", config::Commit()),
        std::pair("commitDate", config::CommitDate())}) {
    json += std::string(",\"") + key + "\":";
    log::AppendJsonString(json, value);
  }
  return json + "}\n";
}

}  // namespace

std::string HeaderOf(const transcode::Request& request, std::string_view name) {
  for (const auto& header : request.headers) {
    if (header.name.size() == name.size() &&
        strncasecmp(header.name.data(), name.data(), name.size()) == 0) {
      return header.value;
    }
  }
  return "";
}

Routes::Routes(std::string component, std::shared_ptr<metrics::Registry> registry, bool ops_routes)
    : component_(std::move(component)), registry_(std::move(registry)), ops_routes_(ops_routes) {}

void Routes::AddReadinessCheck(std::string name, std::function<absl::Status()> check) {
  readiness_checks_.emplace_back(std::move(name), std::move(check));
}

void Routes::AddLivenessCheck(std::string name, std::function<absl::Status()> check) {
  liveness_checks_.emplace_back(std::move(name), std::move(check));
}

void Routes::AddReadinessNote(std::string name, std::function<std::string()> note) {
  notes_.emplace_back(std::move(name), std::move(note));
}

void Routes::Handle(std::string method, std::string path, Handler handler) {
  handlers_[std::move(path)][std::move(method)] = std::move(handler);
}

void Routes::SetTranscoder(std::shared_ptr<transcode::Transcoder> transcoder) {
  transcoder_ = std::move(transcoder);
}

bool Routes::IsQuick(std::string_view method, std::string_view path) const {
  return ops_routes_ && (method == "GET" || method == "HEAD") && IsQuickPath(path);
}

transcode::Response Routes::Answer(const transcode::Request& request) const {
  const std::string_view target(request.target);
  const std::string_view path = target.substr(0, target.find('?'));
  if (ops_routes_ && IsQuickPath(path)) return Quick(request, path);
  if (const auto route = handlers_.find(Decode(path, false)); route != handlers_.end()) {
    auto method = route->second.find(request.method);
    if (method == route->second.end() && request.method == "HEAD") {
      method = route->second.find("GET");
    }
    if (method != route->second.end()) return Plain(request, method->second);
    std::string allow;
    for (const auto& [name, handler] : route->second) {
      allow += (allow.empty() ? "" : ", ") + name + (name == "GET" ? ", HEAD" : "");
    }
    return MethodNotAllowed(allow);
  }
  if (transcoder_ != nullptr) return transcoder_->Handle(request);
  return JsonError(404, 5, "Not Found");
}

transcode::Response Routes::Quick(const transcode::Request& request, std::string_view path) const {
  if (!IsQuick(request.method, path)) return MethodNotAllowed("GET, HEAD");
  if (path == "/metrics") return Metrics(request);
  if (path == "/readyz") return Ready();
  if (path == "/healthz") return Alive();
  return {200, {{"Content-Type", "application/json"}}, VersionJson(component_), nullptr};
}

transcode::Response Routes::Metrics(const transcode::Request& request) const {
  const metrics::Format format = metrics::ChooseFormat(HeaderOf(request, "accept"));
  transcode::Response response;
  response.headers.push_back({"Content-Type", std::string(metrics::ContentType(format))});
  response.headers.push_back({"Vary", "Accept, Accept-Encoding"});
  if (metrics::AcceptsGzip(HeaderOf(request, "accept-encoding"))) {
    metrics::Gzip gzip;
    registry_->Expose(format, [&gzip](std::string_view piece) { gzip.Add(piece); });
    response.body = gzip.Finish();
    response.headers.push_back({"Content-Encoding", "gzip"});
  } else {
    response.body = registry_->Expose(format);
  }
  return response;
}

transcode::Response Routes::Alive() const {
  CheckList checks;
  for (const auto& [name, check] : liveness_checks_) checks.Add(name, check());
  return checks.ok ? Text(200, "ok\n") : Text(503, checks.lines);
}

transcode::Response Routes::Ready() const {
  CheckList checks;
  for (const auto& [name, check] : readiness_checks_) checks.Add(name, check());
  for (const auto& [name, note] : notes_) {
    const std::string text = note();
    checks.lines += "[+]" + name + (text.empty() ? " ok" : ": " + text) + "\n";
  }
  if (draining_) checks.Add("shutdown", absl::UnavailableError("the process is draining"));
  return Text(checks.ok ? 200 : 503, checks.lines + (checks.ok ? "ready\n" : "not ready\n"));
}

transcode::Response Routes::Plain(const transcode::Request& request, const Handler& handler) const {
  const std::string_view target(request.target);
  const size_t question = std::min(target.find('?'), target.size());
  Request plain;
  plain.method = request.method;
  plain.path = Decode(target.substr(0, question), false);
  plain.query = ParseQuery(target.substr(std::min(question + 1, target.size())));
  plain.header = [&request](std::string_view name) { return HeaderOf(request, name); };
  plain.body = request.body;
  plain.remote_address = request.peer;
  Response answer = handler(plain);
  transcode::Response response;
  response.status = answer.status;
  response.headers.push_back({"Content-Type", std::move(answer.content_type)});
  for (auto& [name, value] : answer.headers) {
    response.headers.push_back({std::move(name), std::move(value)});
  }
  response.body = std::move(answer.body);
  return response;
}

}  // namespace krypton::ops
