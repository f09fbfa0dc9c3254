// The third and fourth step of one request: waits for a slot at a replica and forwards, and does
// both again where verdict.h says so. Lives in its request's coroutine, on its worker.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "common/http/exchange.h"
#include "common/http/forward.h"
#include "gateway/dispatcher.h"
#include "gateway/gateway.h"
#include "gateway/model_call.h"
#include "gateway/request_id.h"
#include "gateway/route.h"
#include "gateway/verdict.h"
#include "gateway/waiting.h"

namespace krypton::gateway {

class Call {
 public:
  Call(Gateway& gateway, http::Exchange& exchange, const Route& route, const RequestId& id,
       DispatcherPtr dispatcher, ModelCall* model = nullptr);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // From the queue to the last byte: afterwards the client has its answer, or is gone.
  http::Task<void> Run();
  // In the series of the agent or model.
  void Count() const;

 private:
  // A slot, at once or after a wait. nullopt: there is one; otherwise the error to answer.
  http::Task<std::optional<http::Error>> GetSlot();
  // Gives the slot back for the reason, and waits for another one.
  http::Task<std::optional<http::Error>> GetAnotherSlot(Setback setback);
  // One attempt at the replica that the ticket has.
  http::Task<Verdict> Forward();
  // Likewise, of an agent card: read as a whole, kept, rewritten (card_call.cc).
  http::Task<Verdict> FetchCard();
  // The card kept from before, while no replica is ready. False: there is none that may be served.
  http::Task<bool> AnswerKeptCard();

  http::ForwardPlan MakePlan();
  // What is owed at the end of an answer of events, which outlives this call.
  std::function<void()> Detach();
  http::OnHead NoteHead(const http::ResponseHead& head, std::vector<std::string_view>& drop);
  void NoteFirstByte();
  void LearnSession(const http::ResponseHead& head);
  Waiting& waiting();
  // The peer is one of --trusted-proxies.
  bool IsTrusted() const { return gateway_.settings_.trusted_proxies.Contains(exchange_.peer()); }
  // The Host that the agent sees.
  std::string_view AuthoritySeen() const {
    return policy_->host.empty() ? request_.host : std::string_view(policy_->host);
  }

  http::Task<void> AnswerError(http::Error error);

  Gateway& gateway_;
  http::Exchange& exchange_;
  const http::RequestHead& request_;
  const Route& route_;
  const RequestId& id_;
  const DispatcherPtr dispatcher_;
  ModelCall* const model_;  // Null: an agent's call.
  const std::shared_ptr<const CallPolicy> policy_;
  // Which of the agent's cards is asked for; nullopt: an ordinary call.
  const std::optional<int> card_;
  Ticket ticket_;
  // Made by the first wait.
  std::optional<Waiting> waiting_;
  // What the sidecar said to the last attempt.
  std::optional<Setback> refusal_;
  bool broke_before_ = false;
  // A replica that has not refused it may have worked on it.
  bool delivered_ = false;
  bool is_stream_ = false;
  bool detached_ = false;  // Detach was called: its place and its count are no longer ours.
};

}  // namespace krypton::gateway
