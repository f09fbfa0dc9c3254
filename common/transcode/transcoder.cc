#include "common/transcode/transcoder.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/transcode/answer.h"
#include "common/transcode/call.h"
#include "common/transcode/metadata.h"
#include "common/transcode/openapi.h"
#include "common/transcode/request_builder.h"
#include "common/transcode/route_table.h"
#include "common/transcode/scalars.h"

namespace krypton::transcode {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kUnknownRoute = "unknown";
// Whatever Grpc-Timeout says: a thread waits for each.
constexpr std::chrono::nanoseconds kLongestUnary = std::chrono::hours(1);
constexpr std::string_view kOpenApiRoute = "openapi";

std::string_view MethodLabel(std::string_view method) {
  static constexpr std::array<std::string_view, 9> kMethods = {
      "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  const auto* known = std::find(kMethods.begin(), kMethods.end(), method);
  return known == kMethods.end() ? "OTHER" : *known;
}

// Says once how a request ended: when it is destroyed, which for a stream is at its end.
class Report {
 public:
  Report(const Settings& settings, const Request& request)
      : settings_(settings),
        method_(MethodLabel(request.method)),
        traceparent_(FindHeader(request.headers, "traceparent").value_or("")),
        begin_(Clock::now()) {}
  ~Report() {
    if (settings_.on_finished) {
      settings_.on_finished({route, method_, status, Clock::now() - begin_, traceparent_});
    }
  }
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  std::string_view route = kUnknownRoute;
  // A stream whose client went away before its end counts as cancelled.
  int status = 499;

 private:
  const Settings& settings_;
  const std::string_view method_;
  const std::string traceparent_;  // The request may be gone before a stream ends.
  const Clock::time_point begin_;
};

// A stream under way: turns what the RPC says into lines.
class LineSource {
 public:
  LineSource(const Route& route, std::unique_ptr<Call> call, std::shared_ptr<Report> report)
      : route_(route), call_(std::move(call)), report_(std::move(report)) {}

  // The head of the answer, and its first line if there is one by then.
  Response Begin(std::chrono::milliseconds wait) {
    Response response;
    first_ = Next(wait);
    if (first_->state != BodyStream::State::kWaiting) {
      AddMetadataHeaders(call_->InitialMetadata(), response);
    }
    if (first_->state == BodyStream::State::kEnd) {  // A stream of nothing.
      report_->status = response.status;
      return response;
    }
    if (failed_) response.status = report_->status;
    if (content_type_.empty()) content_type_ = "application/json";
    response.headers.push_back({"Content-Type", content_type_});
    return response;
  }

  BodyStream::Piece Next(std::chrono::milliseconds wait) {
    if (first_) {
      BodyStream::Piece piece = *std::move(first_);
      first_.reset();
      if (piece.state != BodyStream::State::kWaiting) return piece;
    }
    if (failed_) return {BodyStream::State::kEnd, "", {}};
    Call::Event event = call_->Next(wait);
    switch (event.kind) {
      case Call::Event::Kind::kTimeout:
        return {BodyStream::State::kWaiting, "", {}};
      case Call::Event::Kind::kMessage:
        return Message(event.bytes);
      case Call::Event::Kind::kEnd:
        break;
    }
    if (call_->status().code != 0) return Fail(call_->status());
    report_->status = 200;
    return {BodyStream::State::kEnd, "", {}};
  }

 private:
  BodyStream::Piece Message(const std::string& bytes) {
    absl::StatusOr<Line> line = ResultLine(route_, bytes);
    if (!line.ok()) {
      return Fail(
          {static_cast<int>(line.status().code()), std::string(line.status().message()), ""});
    }
    content_type_ = line->content_type;
    return {BodyStream::State::kData, std::move(line->text), {}};
  }

  BodyStream::Piece Fail(const CallStatus& status) {
    failed_ = true;
    report_->status = ErrorAnswer(status).status;
    return {BodyStream::State::kData, ErrorLine(status), {}};
  }

  const Route& route_;
  const std::unique_ptr<Call> call_;
  const std::shared_ptr<Report> report_;
  std::string content_type_;
  std::optional<BodyStream::Piece> first_;
  bool failed_ = false;
};

// A path in its parts, decoded. grpc-gateway decodes all of it before it splits, so that `a%2Fb` is
// two segments.
struct Target {
  std::string path;
  absl::string_view query;

  std::vector<absl::string_view> Segments() const {
    return absl::StrSplit(absl::string_view(path).substr(1), '/');
  }
};

std::optional<Target> ParseTarget(absl::string_view target) {
  const size_t mark = target.find('?');
  std::optional<std::string> path = DecodePercent(target.substr(0, mark), false);
  if (!path || path->empty() || (*path)[0] != '/') return std::nullopt;
  const absl::string_view query =
      mark == absl::string_view::npos ? absl::string_view() : target.substr(mark + 1);
  return Target{*std::move(path), query};
}

RouteTable BuildTable(const std::vector<std::string>& services, bool read_only) {
  absl::StatusOr<RouteTable> table = RouteTable::Build(services, read_only);
  if (!table.ok()) {  // A mistake of the program, which its first start shows.
    std::fprintf(stderr, "transcoder: %s\n", table.status().ToString().c_str());
    std::abort();
  }
  return *std::move(table);
}

}  // namespace

class Transcoder::Impl {
 public:
  Impl(std::shared_ptr<grpc::Channel> channel, const std::vector<std::string>& services,
       Settings settings)
      : settings_(std::move(settings)),
        table_(BuildTable(services, settings_.read_only)),
        openapi_(BuildOpenApi(table_, settings_.title, settings_.version)),
        stub_(std::move(channel)) {}

  Response Handle(const Request& request) {
    auto report = std::make_shared<Report>(settings_, request);
    Response response = Route(request, report);
    // A stream says its status itself, at its end.
    if (report.use_count() == 1) report->status = response.status;
    return response;
  }

  const std::string& openapi() const { return openapi_; }
  const RouteTable& table() const { return table_; }

 private:
  Response Route(const Request& request, const std::shared_ptr<Report>& report) {
    if (request.target.size() > settings_.max_target_bytes) {
      return ErrorAnswer(absl::InvalidArgumentError("path and query are too long"), 414);
    }
    if (request.body.size() > settings_.max_body_bytes) {
      return ErrorAnswer(absl::ResourceExhaustedError("the body is too large"), 413);
    }
    const std::optional<Target> target = ParseTarget(request.target);
    if (!target) return ErrorAnswer(absl::InvalidArgumentError("the path cannot be decoded"));
    if (target->path == settings_.openapi_path && request.method == "GET") {
      report->route = kOpenApiRoute;
      return {.headers = {{"Content-Type", "application/json"}}, .body = openapi_};
    }
    const auto found = Find(request.method, *target);
    if (const auto* route = std::get_if<RouteTable::Found>(&found)) {
      report->route = route->route->name;
      return Start(*route, target->query, request, report);
    }
    if (std::holds_alternative<RouteTable::OtherMethod>(found)) {
      return ErrorAnswer(absl::UnimplementedError("Method Not Allowed"));
    }
    return ErrorAnswer(absl::NotFoundError("Not Found"));
  }

  // A path that is no route is looked up once more without the alias prefix.
  std::variant<RouteTable::Found, RouteTable::NotFound, RouteTable::OtherMethod> Find(
      const std::string& method, const Target& target) const {
    auto found = table_.Find(method, target.Segments());
    const std::string& prefix = settings_.alias_prefix;
    if (std::holds_alternative<RouteTable::NotFound>(found) && !prefix.empty() &&
        absl::StartsWith(target.path, absl::StrCat(prefix, "/"))) {
      found = table_.Find(method, Target{target.path.substr(prefix.size()), {}}.Segments());
    }
    return found;
  }

  Response Start(const RouteTable::Found& found, absl::string_view query, const Request& request,
                 const std::shared_ptr<Report>& report) {
    const transcode::Route& route = *found.route;
    std::optional<std::chrono::nanoseconds> timeout;
    const std::optional<absl::string_view> asked = FindHeader(request.headers, "grpc-timeout");
    if (asked && !asked->empty()) {
      timeout = ParseGrpcTimeout(*asked);
      if (!timeout) {
        return ErrorAnswer(
            absl::InvalidArgumentError(absl::StrCat("invalid grpc-timeout: ", *asked)));
      }
    }
    if (timeout && timeout->count() == 0) timeout.reset();  // As grpc-gateway: 0 is none.
    absl::StatusOr<std::vector<std::string>> messages = BuildRequests(
        found, query, request.body,
        JsonLimits{.max_depth = settings_.max_json_depth, .max_values = JsonLimits().max_values});
    if (!messages.ok()) return ErrorAnswer(messages.status());
    const bool streams = route.method->server_streaming();
    if (!streams) timeout = std::min(timeout.value_or(settings_.unary_timeout), kLongestUnary);
    auto call = std::make_unique<Call>(stub_, route.rpc_path, MetadataOf(request),
                                       *std::move(messages), timeout);
    if (!streams) return Finish(route, *call, AcceptsTrailers(request));
    auto lines = std::make_shared<LineSource>(route, std::move(call), report);
    Response response = lines->Begin(settings_.first_message_wait);
    response.stream = std::make_unique<BodyStream>(
        [lines](std::chrono::milliseconds wait) { return lines->Next(wait); });
    return response;
  }

  // Waits for the one answer.
  static Response Finish(const transcode::Route& route, Call& call, bool with_trailers) {
    std::string bytes;
    for (;;) {
      // The deadline ends the call; the wait only has to be finite.
      Call::Event event = call.Next(std::chrono::hours(1));
      if (event.kind == Call::Event::Kind::kEnd) break;
      if (event.kind == Call::Event::Kind::kMessage) bytes = std::move(event.bytes);
    }
    Response response =
        call.status().code == 0 ? MessageAnswer(route, bytes) : ErrorAnswer(call.status());
    AddMetadataHeaders(call.InitialMetadata(), response);
    if (with_trailers) AddTrailers(call.TrailingMetadata(), response);
    return response;
  }

  const Settings settings_;
  const RouteTable table_;
  const std::string openapi_;
  grpc::GenericStub stub_;
};

Transcoder::Transcoder(std::shared_ptr<grpc::Channel> channel,
                       const std::vector<std::string>& services, Settings settings)
    : impl_(std::make_unique<Impl>(std::move(channel), services, std::move(settings))) {}

Transcoder::~Transcoder() = default;

Response Transcoder::Handle(const Request& request) const { return impl_->Handle(request); }

const std::string& Transcoder::OpenApiJson() const { return impl_->openapi(); }

std::vector<std::string> Transcoder::RouteNames() const {
  std::set<std::string> names = {std::string(kUnknownRoute), std::string(kOpenApiRoute)};
  for (const transcode::Route& route : impl_->table().routes()) names.insert(route.name);
  return {names.begin(), names.end()};
}

}  // namespace krypton::transcode
