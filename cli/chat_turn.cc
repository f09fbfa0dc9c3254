#include "cli/chat_turn.h"

#include <httplib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "cli/command.h"
#include "cli/printable.h"

namespace krypton::cli {
namespace {

// Of silence, until a person is told that this is none.
constexpr std::chrono::milliseconds kPatience{1000};
// A call that has just begun cannot be stopped yet: tried again.
constexpr std::chrono::milliseconds kStopInterval{20};
constexpr size_t kMaxRefusal = 64 << 10;

}  // namespace

ChatTurn::Outcome ChatTurn::Run(const std::string& body) {
  const auto client = NewGatewayClient(call_);
  const int done = eventfd(0, EFD_CLOEXEC);
  std::thread sender([&] {
    Send(*client, body);
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(done, &one, sizeof one);
  });
  bool leave = false;
  std::optional<std::chrono::milliseconds> patience = kPatience;
  while (true) {
    const Console::Event event = console_.Wait(done, stopped_ ? kStopInterval : patience);
    if (event == Console::Event::kReady) break;
    if (event == Console::Event::kInterrupt) leave = stopped_.exchange(true);
    if (stopped_) {
      client->stop();
    } else {
      NoteWait();
      patience.reset();
    }
  }
  sender.join();
  close(done);
  ClearNote();
  if (leave) return Outcome::kLeave;
  if (nobody_reads_) return Outcome::kNobodyReads;
  if (stopped_) return Outcome::kStopped;
  return error_.empty() ? Outcome::kAnswered : Outcome::kFailed;
}

void ChatTurn::Send(httplib::Client& client, const std::string& body) {
  httplib::Request request;
  request.method = "POST";
  request.path = "/v1/chat/completions";
  request.headers = {{"Content-Type", "application/json"}, {"Accept", "text/event-stream"}};
  request.body = body;
  request.response_handler = [this](const httplib::Response& response) {
    silence_.Broken();
    refused_ = response.status >= 400;
    return !stopped_;
  };
  request.content_receiver = [this](const char* data, size_t size, uint64_t, uint64_t) {
    silence_.Broken();
    return Take({data, size});
  };
  httplib::Response response;
  httplib::Error error = httplib::Error::Success;
  silence_.Broken();
  const bool answered = client.send(request, response, error);
  if (stopped_ || nobody_reads_) return;
  if (!answer_.error().empty()) {
    error_ = answer_.error();
  } else if (refused_) {
    error_ = RefusalText(call_, response, refusal_);
  } else if (!answered && !answer_.done()) {
    error_ = std::string(BrokenCall(call_, error, silence_.length()).message());
  } else if (!answer_.done()) {
    error_ = "the answer of " + call_.target + " broke off";
  }
}

// False: that was enough.
bool ChatTurn::Take(std::string_view bytes) {
  if (stopped_) return false;
  if (refused_) {
    refusal_ += bytes.substr(0, kMaxRefusal - refusal_.size());
    return true;
  }
  const std::string added = answer_.Take(bytes);
  if (!added.empty()) {
    ClearNote();
    nobody_reads_ = !Print(isatty(STDOUT_FILENO) == 1 ? Printable(added) : added);
  }
  return !nobody_reads_ && answer_.error().empty();
}

void ChatTurn::NoteWait() {
  const std::lock_guard lock(terminal_);
  if (!console_.terminal() || begun_) return;
  note_shown_ = true;
  fprintf(stderr, "(%s is waking up or busy; Ctrl-C stops)", call_.target.c_str());
}

void ChatTurn::ClearNote() {
  const std::lock_guard lock(terminal_);
  begun_ = true;
  if (std::exchange(note_shown_, false)) fprintf(stderr, "\r\033[K");
}

}  // namespace krypton::cli
