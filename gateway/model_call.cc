#include "gateway/model_call.h"

#include <chrono>

#include "absl/strings/str_cat.h"

namespace krypton::gateway {
namespace {

double SecondsBetween(http::TimePoint from, http::TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

// The Responses API says usage without being asked; embeddings are no stream.
bool StreamsOnRequest(std::string_view path) {
  return path == "/v1/chat/completions" || path == "/v1/completions";
}

bool IsJson(const http::ResponseHead& head) {
  constexpr std::string_view kJson = "application/json";
  return http::EqualsIgnoreCase(head.fields.Get("content-type").substr(0, kJson.size()), kJson);
}

bool IsPlain(const http::ResponseHead& head) {
  const std::string_view coding = head.fields.Get("content-encoding");
  return coding.empty() || http::EqualsIgnoreCase(coding, "identity");
}

http::Error BreakError(http::ForwardEnd why) {
  switch (why) {
    case http::ForwardEnd::kTimedOut:
      return {.code = http::ErrorCode::kAgentTimeout,
              .message = "the stream was not complete within spec.timeout",
              .param = {}};
    case http::ForwardEnd::kShutDown:
      return {.code = http::ErrorCode::kShuttingDown,
              .message = "the gateway is shutting down",
              .param = {}};
    default:
      return {.code = http::ErrorCode::kAgentUnreachable,
              .message = "the replica broke the stream",
              .param = {}};
  }
}

}  // namespace

std::optional<bool> MayAskAgain(const http::Error& error, bool delivered) {
  const int status = error.Status();
  // OpenAI's SDKs repeat 408, 409, 429 and all from 500 on.
  if (status < 500 && status != 408) return std::nullopt;
  return !delivered && error.code != http::ErrorCode::kLoopDetected;
}

ModelCall::ModelCall(http::Exchange& exchange, const Route& route, const ModelRoute& model)
    : exchange_(exchange),
      model_(model),
      wants_usage_(model.entry->model().spec().usage() == v1::MODEL_USAGE_ALWAYS &&
                   StreamsOnRequest(route.rest)) {}

void ModelCall::Prepare(http::ForwardPlan& plan) {
  // Usage is read from the answer, and a stream that breaks ends with an event: both need it plain.
  plan.set_fields.push_back({"accept-encoding", "identity"});
  plan.on_answer_body = [this](http::IoVecs& pieces, bool last) { OnAnswerBody(pieces, last); };
  plan.on_break = [this](http::ForwardEnd why) { return OnBreak(why); };
  if (wants_usage_) PrepareSplice(plan);
}

void ModelCall::PrepareSplice(http::ForwardPlan& plan) {
  if (exchange_.body_complete()) {
    const std::string_view body = exchange_.held_body();
    if (!spliced_) spliced_ = SpliceWhole(body);
    if (!spliced_) return;
    plan.request_growth =
        static_cast<int64_t>(spliced_->size()) - static_cast<int64_t>(body.size());
    plan.on_request_body = [this](http::IoVecs& pieces, bool, bool) {
      pieces.Clear();
      pieces.Add(*spliced_);
    };
    return;
  }
  const bool has_length = exchange_.request().framing == http::Framing::kLength;
  const auto fill = has_length ? UsageSplice::Fill::kToGrowth : UsageSplice::Fill::kNone;
  if (has_length) plan.request_growth = UsageSplice::kGrowth;
  plan.on_request_body = [this, fill](http::IoVecs& pieces, bool first, bool last) {
    if (first) splice_.emplace(fill);
    splice_->Pass(pieces, last);
  };
}

void ModelCall::OnHead(const http::ResponseHead& head) {
  // An error of the sidecar's own that goes on to the client: the model had the request.
  if (head.status >= 500 && !head.fields.Get("krypton-error").empty()) {
    exchange_.AddResponseHeader("x-should-retry", "false");
  }
  stream_.reset();
  json_.reset();
  if (head.status != 200 || !IsPlain(head)) return;
  if (head.is_event_stream()) {
    stream_.emplace(HasAskedForUsage() && head.framing != http::Framing::kLength);
  } else if (IsJson(head)) {
    json_.emplace();
  }
}

void ModelCall::OnAnswerBody(http::IoVecs& pieces, bool last) {
  if (stream_) return stream_->Pass(pieces, last, exchange_.worker().Now());
  if (!json_) return;
  for (size_t i = 0; i < pieces.count() && !json_->done(); ++i) {
    const iovec& piece = pieces.data()[i];
    json_->Feed({static_cast<const char*>(piece.iov_base), piece.iov_len});
  }
}

std::optional<std::string> ModelCall::OnBreak(http::ForwardEnd why) {
  if (!stream_) return std::nullopt;
  // All was said already.
  if (stream_->complete()) return "";
  const http::Error error = BreakError(why);
  model_.dispatcher->metrics().CountError(error.code);
  return stream_->EndBroken(http::ErrorBody(error));
}

void ModelCall::AddRetryFields(const http::Error& error, bool delivered) {
  const std::optional<bool> again = MayAskAgain(error, delivered);
  if (!again) return;
  exchange_.AddResponseHeader("x-should-retry", *again ? "true" : "false");
  if (error.Status() != 503) return;
  exchange_.AddResponseHeader("retry-after-ms", absl::StrCat(error.retry_after_seconds * 1000));
}

void ModelCall::Count(int status) const {
  ModelMetrics& series = *model_.metrics;
  series.CountInvocation(status);
  series.ObserveDuration(SecondsBetween(exchange_.started(), http::Clock::now()),
                         metrics::SampledTrace(exchange_.request().fields.Get("traceparent")));
  if (json_ && json_->usage()) series.CountTokens(*json_->usage());
  if (stream_) CountStream();
}

void ModelCall::CountStream() const {
  ModelMetrics& series = *model_.metrics;
  if (stream_->usage()) series.CountTokens(*stream_->usage());
  if (stream_->events() == 0) return;
  series.ObserveFirstToken(SecondsBetween(exchange_.started(), stream_->first_event()));
  const int64_t tokens = stream_->usage() ? stream_->usage()->completion_tokens : stream_->events();
  if (tokens < 2 || stream_->events() < 2) return;
  series.ObservePerToken(SecondsBetween(stream_->first_event(), stream_->last_event()) /
                         static_cast<double>(tokens - 1));
}

}  // namespace krypton::gateway
