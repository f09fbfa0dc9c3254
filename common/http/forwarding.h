// Forwarding: one call of Forward while it runs: the state that its coroutines share. Internal to
// common/http. The main coroutine sends the head and what has arrived of the body, reads the answer
// and passes it on; a second one (PumpRequest) exists only while the client's body goes on. When
// the plan lets an answer of events outlive its handler, the RequestState takes the Forwarding over
// and the connection runs the rest (RunDetached).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/http/chunked.h"
#include "common/http/connection.h"
#include "common/http/forward.h"
#include "common/http/upstream.h"

namespace krypton::http {

class Tunnel;

class Forwarding final : public CancelListener {
 public:
  // `plan` outlives it.
  Forwarding(Exchange& exchange, Client& client, const ForwardPlan& plan);
  ~Forwarding();

  static void* operator new(size_t size) { return internal::AllocateFrame(size); }
  static void operator delete(void* memory, size_t size) { internal::FreeFrame(memory, size); }

  Task<ForwardResult> Run();
  // After Run ended as kDetached, and the handler has returned.
  Task<void> RunDetached();
  void OnCancelled(Cancelled reason) override;

 private:
  // One try on one connection.
  Task<void> Attempt();
  Task<bool> Acquire(bool fresh);
  Task<bool> SendRequest();
  Task<void> PumpRequest();
  Task<bool> SendPieces(IoVecs pieces);
  bool SendsChunked() const { return state_.head.framing == Framing::kChunked && !plan_.collected; }
  Task<void> StopPump();

  // The answer.
  Task<bool> ReadAnswer();
  Task<bool> FillAnswer(TimePoint deadline);
  Task<bool> PassInterim();
  Task<void> PassAnswer();
  void FinishAnswer(bool passed);
  bool MayDetach() const;
  void Detach();
  void ReleaseHeads();
  Task<bool> PassHead();
  Task<bool> PassPieces(std::string_view before);
  Task<bool> PassBody();
  Task<bool> EndStream();
  Task<bool> SayBreak();
  Task<void> PassUpgrade();
  bool GatherAnswer(IoVecs& pieces);
  bool SwallowAnswer();
  bool EndsAtEvent();

  void End(ForwardEnd end) { result_.end = end; }
  void EndInterrupted();
  bool MayTryAgain() const;
  bool detached() const { return result_.end == ForwardEnd::kDetached; }
  TimePoint BodyDeadline() const;
  void Release();

  Exchange& exchange_;
  ConnectionCore& core_;
  RequestState& state_;
  Client::Pool& pool_;
  const ForwardPlan& plan_;  // Gone once the handler has returned.
  const bool as_gateway_;
  const TimePoint deadline_;
  const milliseconds stream_idle_timeout_;
  std::function<void(uint64_t)> on_stream_bytes_;
  std::function<void(IoVecs& pieces, bool last)> on_answer_body_;
  std::function<void()> on_detached_end_;
  ForwardResult result_;
  HeadLimits limits_;
  std::unique_ptr<UpstreamConnection> upstream_;
  BodyDecoder answer_;
  std::vector<std::string_view> drop_;
  Event pump_done_;
  Tunnel* tunnel_ = nullptr;
  bool pumping_ = false;
  bool stop_pump_ = false;
  bool event_stream_ = false;   // What the answer is; its head's text is gone by its end.
  bool ended_cleanly_ = false;  // The endpoint's connection ended with a FIN.
  bool drain_stream_ = false;
  uint32_t tail_ = 0;  // The last bytes of an event stream, to see where an event ends.
};

}  // namespace krypton::http
