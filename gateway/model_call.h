// What the call of a model has that an agent's has not; Call asks it at each step. It asks for
// usage in the request where the spec wants that, reads the answer as it passes, ends a stream that
// breaks, and counts. Lives in its request's coroutine, on its worker.
#pragma once

#include <optional>
#include <string>

#include "common/http/error.h"
#include "common/http/exchange.h"
#include "common/http/forward.h"
#include "gateway/model_table.h"
#include "gateway/openai/event_stream.h"
#include "gateway/openai/usage.h"
#include "gateway/openai/usage_splice.h"
#include "gateway/route.h"

namespace krypton::gateway {

class ModelCall {
 public:
  ModelCall(http::Exchange& exchange, const Route& route, const ModelRoute& model);
  ModelCall(const ModelCall&) = delete;
  ModelCall& operator=(const ModelCall&) = delete;

  // Before each attempt.
  void Prepare(http::ForwardPlan& plan);
  // The head of an answer that goes to the client.
  void OnHead(const http::ResponseHead& head);
  // The fields beside an error by which OpenAI's SDKs decide whether they ask again. `delivered`: a
  // replica may have worked on the request.
  void AddRetryFields(const http::Error& error, bool delivered);
  // The call has ended.
  void Count(int status) const;

 private:
  void PrepareSplice(http::ForwardPlan& plan);
  bool HasAskedForUsage() const { return spliced_ || (splice_ && splice_->asked()); }
  void OnAnswerBody(http::IoVecs& pieces, bool last);
  std::optional<std::string> OnBreak(http::ForwardEnd why);
  void CountStream() const;

  http::Exchange& exchange_;
  const ModelRoute& model_;
  // Usage is to be asked for, should this be a stream.
  const bool wants_usage_;
  // The request, where it changes: as a whole, or as it passes.
  std::optional<std::string> spliced_;
  std::optional<UsageSplice> splice_;
  // The answer: a stream, or one JSON text; neither where it cannot be read.
  std::optional<EventStream> stream_;
  std::optional<UsageReader> json_;
};

// Whether a client may send the request again by itself; nullopt: it does not come to that. Pure.
std::optional<bool> MayAskAgain(const http::Error& error, bool delivered);

}  // namespace krypton::gateway
