#include "manager/platform/kubernetes/client/caller.h"

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/config/address.h"
#include "common/rpc/backoff.h"
#include "manager/platform/kubernetes/client/api_status.h"
#include "manager/platform/kubernetes/client/token_bucket.h"
#include "manager/platform/kubernetes/client/transport.h"

namespace krypton::kube {
namespace {

using Clock = std::chrono::steady_clock;

// Projected tokens are renewed when a fifth of their hour is left: a minute's delay is nothing.
constexpr auto kTokenAge = std::chrono::minutes(1);
// Longer than that nobody waits in a call; the queue of who called it waits better.
constexpr auto kMaxRetryAfter = std::chrono::seconds(30);

}  // namespace

class Caller::Impl {
 public:
  Impl(const Config& config, ClientSettings settings, prometheus::Registry& metrics)
      : config_(config),
        settings_(std::move(settings)),
        transport_(config,
                   {.connect_timeout = settings_.connect_timeout,
                    .max_answer_bytes = settings_.max_answer_bytes,
                    .max_idle_connections = static_cast<size_t>(settings_.max_idle_connections),
                    .user_agent = settings_.user_agent}),
        host_(config::ToString({.host = config.host, .port = static_cast<uint16_t>(config.port)})),
        requests_(prometheus::BuildCounter()
                      .Name("rest_client_requests_total")
                      .Help("Requests to the Kubernetes API by HTTP code, method and host.")
                      .Register(metrics)),
        bucket_(settings_.qps, settings_.burst) {}

  absl::StatusOr<std::string> Do(const Call& call);
  void Shutdown();

 private:
  absl::StatusOr<std::string> Attempt(const Call& call);
  absl::StatusOr<std::string> Token();
  void ForgetToken();
  void Count(const Call& call, const std::string& code);
  bool MayRepeat(const Call& call, const absl::Status& status);
  absl::Status WaitForToken(const Call& call);
  absl::Status Wait(const Call& call, std::chrono::nanoseconds time);

  const Config config_;
  const ClientSettings settings_;
  Transport transport_;
  const std::string host_;
  prometheus::Family<prometheus::Counter>& requests_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool down_ ABSL_GUARDED_BY(mutex_) = false;
  TokenBucket bucket_ ABSL_GUARDED_BY(mutex_);
  std::string token_ ABSL_GUARDED_BY(mutex_);
  std::optional<Clock::time_point> token_read_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<std::string> Caller::Impl::Do(const Call& call) {
  rpc::Backoff backoff({.min = settings_.min_backoff, .max = settings_.max_backoff});
  for (int attempt = 1;; ++attempt) {
    if (absl::Status status = WaitForToken(call); !status.ok()) return status;
    absl::StatusOr<std::string> body = Attempt(call);
    if (body.ok() || attempt >= settings_.max_attempts) return body;
    if (!MayRepeat(call, body.status())) return body;
    const std::chrono::milliseconds asked = RetryAfter(body.status()).value_or(backoff.Next());
    if (asked > kMaxRetryAfter) return body;
    if (!Wait(call, asked).ok()) return body;
  }
}

bool Caller::Impl::MayRepeat(const Call& call, const absl::Status& status) {
  switch (HttpCode(status)) {
    case 0:
      return absl::IsUnavailable(status) && (call.repeatable || !WasSent(status));
    case 401:
      ForgetToken();
      return !config_.token.file.empty();
    case 429:
      return true;
    case 503:
      // Refused before it was begun, when the server says when to come again.
      return call.repeatable || RetryAfter(status).has_value();
    case 500:
    case 502:
    case 504:
      return call.repeatable;
    default:
      return false;
  }
}

absl::StatusOr<std::string> Caller::Impl::Attempt(const Call& call) {
  auto token = Token();
  if (!token.ok()) return token.status();
  HttpRequest request;
  request.method = call.method;
  request.target = config_.path_prefix + call.target;
  request.token = *std::move(token);
  request.content_type = call.content_type;
  request.body = call.body;
  request.read_timeout =
      call.read_timeout.count() > 0 ? call.read_timeout : settings_.request_timeout;
  request.stop = call.stop;
  if (call.write) request.gate = settings_.write_gate;
  request.receive = call.receive;
  absl::StatusOr<HttpAnswer> answer = transport_.Send(request);
  Count(call, answer.ok() ? absl::StrCat(answer->code) : "<error>");
  if (!answer.ok()) {
    absl::Status status(answer.status().code(),
                        absl::StrCat(call.what, ": ", std::string(answer.status().message())));
    answer.status().ForEachPayload([&status](absl::string_view key, const absl::Cord& value) {
      status.SetPayload(key, value);
    });
    return status;
  }
  if (answer->code >= 200 && answer->code < 300) return std::move(answer->body);
  ApiError error = ParseApiError(answer->code, answer->body);
  if (int seconds = 0; absl::SimpleAtoi(answer->retry_after, &seconds) && seconds >= 0) {
    error.retry_after = std::chrono::seconds(seconds);
  }
  return ToStatus(error, call.what);
}

absl::StatusOr<std::string> Caller::Impl::Token() {
  if (config_.token.empty()) return "";
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  if (token_read_.has_value() && now - *token_read_ < kTokenAge) return token_;
  auto read = config_.token.Read();
  if (read.ok()) {
    token_ = *std::move(read);
    token_read_ = now;
  } else if (token_.empty()) {
    return read.status();
  }
  return token_;
}

void Caller::Impl::ForgetToken() {
  const std::lock_guard lock(mutex_);
  token_read_.reset();
}

void Caller::Impl::Count(const Call& call, const std::string& code) {
  requests_.Add({{"code", code}, {"method", call.method}, {"host", host_}}).Increment();
}

absl::Status Caller::Impl::WaitForToken(const Call& call) {
  std::chrono::nanoseconds wait;
  {
    const std::lock_guard lock(mutex_);
    wait = bucket_.Reserve(Clock::now());
  }
  return Wait(call, wait);
}

absl::Status Caller::Impl::Wait(const Call& call, std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  const auto down = [this] { return down_; };
  if (time.count() > 0) changed_.wait_for(lock, call.stop, time, down);
  if (down_ || call.stop.stop_requested()) return absl::CancelledError(call.what + ": cancelled");
  return absl::OkStatus();
}

void Caller::Impl::Shutdown() {
  {
    const std::lock_guard lock(mutex_);
    down_ = true;
    changed_.notify_all();
  }
  transport_.Shutdown();
}

Caller::Caller(const Config& config, ClientSettings settings, prometheus::Registry& metrics)
    : impl_(std::make_unique<Impl>(config, std::move(settings), metrics)) {}
Caller::~Caller() = default;

absl::StatusOr<std::string> Caller::Do(const Call& call) { return impl_->Do(call); }
void Caller::Shutdown() { impl_->Shutdown(); }

}  // namespace krypton::kube
