// What the call of a model has that an agent's has not: Call asks it at each step. Lives in its
// request's coroutine, on its worker.
#pragma once

#include <optional>

#include "common/http/error.h"
#include "common/http/exchange.h"
#include "common/http/forward.h"
#include "gateway/model_table.h"

namespace krypton::gateway {

class ModelCall {
 public:
  ModelCall(http::Exchange& exchange, const ModelRoute& model)
      : exchange_(exchange), model_(model) {}
  ModelCall(const ModelCall&) = delete;
  ModelCall& operator=(const ModelCall&) = delete;

  // Before each attempt.
  void Prepare(http::ForwardPlan& plan);
  // The fields beside an error by which OpenAI's SDKs decide whether they ask again. `delivered`: a
  // replica may have worked on the request.
  void AddRetryFields(const http::Error& error, bool delivered);
  // The call has ended.
  void Count(int status) const;

 private:
  http::Exchange& exchange_;
  const ModelRoute& model_;
};

// Whether a client may send the request again by itself; nullopt: it does not come to that. Pure.
std::optional<bool> MayAskAgain(const http::Error& error, bool delivered);

}  // namespace krypton::gateway
