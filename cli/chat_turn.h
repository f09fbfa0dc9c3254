// One turn of a chat: a request whose answer is printed as it streams, on a thread of its own,
// while the caller waits for it and for Ctrl-C.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "cli/chat_answer.h"
#include "cli/console.h"
#include "cli/gateway_call.h"

namespace krypton::cli {

class ChatTurn {
 public:
  enum class Outcome {
    kAnswered,
    kStopped,      // By a Ctrl-C.
    kLeave,        // By a second one.
    kFailed,       // `error()` says why.
    kNobodyReads,  // Of standard output.
  };

  ChatTurn(const GatewayCall& call, Console& console) : call_(call), console_(console) {}

  // Once. `body`: of POST /v1/chat/completions.
  Outcome Run(const std::string& body);

  const std::string& text() const { return answer_.text(); }
  const std::string& error() const { return error_; }

 private:
  void Send(httplib::Client& client, const std::string& body);
  bool Take(std::string_view bytes);
  void NoteWait();
  void ClearNote();

  const GatewayCall& call_;
  Console& console_;
  std::atomic<bool> stopped_ = false;
  // Of the sending thread, until it has ended.
  ChatAnswer answer_;
  Silence silence_;
  bool refused_ = false;
  bool nobody_reads_ = false;
  std::string refusal_;
  std::string error_;
  std::mutex terminal_;
  bool note_shown_ = false;
  bool begun_ = false;
};

}  // namespace krypton::cli
