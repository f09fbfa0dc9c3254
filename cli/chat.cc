#include "cli/chat.h"

#include <signal.h>

#include <boost/json.hpp>
#include <cstdio>

#include "cli/chat_turn.h"
#include "cli/command.h"
#include "cli/console.h"
#include "common/config/address.h"
#include "common/config/flags.h"

namespace krypton::cli {
namespace {

namespace json = boost::json;

class Conversation {
 public:
  Conversation(const ChatOptions& options, GatewayCall call)
      : options_(options), call_(std::move(call)) {
    if (!options_.system.empty()) Remember("system", options_.system);
  }

  int Run() {
    std::string line;
    while (true) {
      if (console_.terminal()) Print("> ");
      if (console_.ReadLine(&line) != Console::Event::kReady) {
        if (console_.terminal()) Print("\n");
        return kOk;
      }
      if (line.find_first_not_of(" \t") == std::string::npos) continue;
      if (const std::optional<int> status = Say(line)) return *status;
    }
  }

 private:
  // An exit status ends the conversation.
  std::optional<int> Say(const std::string& line) {
    Remember("user", line);
    ChatTurn turn(call_, console_);
    const ChatTurn::Outcome outcome = turn.Run(Request());
    if (outcome == ChatTurn::Outcome::kNobodyReads) return kOk;
    if (!turn.text().empty() || outcome == ChatTurn::Outcome::kStopped) Print("\n");
    if (outcome == ChatTurn::Outcome::kLeave) return kOk;
    if (outcome == ChatTurn::Outcome::kFailed) {
      // As if it had not been said: the next line may fare better.
      messages_.pop_back();
      const int status = Fail(absl::UnavailableError(turn.error()));
      return console_.terminal() ? std::nullopt : std::optional<int>(status);
    }
    // What a stopped answer has said is said.
    Remember("assistant", turn.text());
    return std::nullopt;
  }

  void Remember(const char* role, const std::string& content) {
    messages_.push_back(json::object{{"role", role}, {"content", content}});
  }

  std::string Request() const {
    json::object request = {{"model", options_.model}, {"stream", true}, {"messages", messages_}};
    if (options_.max_tokens > 0) request["max_tokens"] = options_.max_tokens;
    return json::serialize(request);
  }

  const ChatOptions& options_;
  const GatewayCall call_;
  Console console_;
  json::array messages_;
};

}  // namespace

void AddChat(config::Flags& flags, ChatOptions* options) {
  flags.AddPositional(&options->model, "MODEL", "the model's id: NAME or NAMESPACE/NAME");
  flags.Add(&options->system, "system", "what the model is told before the conversation", "TEXT");
  flags.Add(&options->max_tokens, "max-tokens", "of one answer; 0: as many as the model gives");
  flags.Add(&options->timeout, "timeout", "how long an answer may be silent");
  AddGatewayFlag(flags, &options->addresses);
}

int RunChat(const ChatOptions& options) {
  signal(SIGPIPE, SIG_IGN);  // A gateway that closes early is an error to tell.
  if (options.max_tokens < 0) {
    return Fail(absl::InvalidArgumentError("--max-tokens must not be negative"));
  }
  const Addresses found = FindAddresses(options.addresses, WellKnownReadyFile());
  if (const auto gateway = config::ParseHostPort(found.gateway); !gateway.ok()) {
    return Fail(
        absl::InvalidArgumentError("--gateway: " + std::string(gateway.status().message())));
  }
  GatewayCall call{.gateway = found.gateway, .target = options.model, .timeout = options.timeout};
  // Before a word is asked for that nobody would hear.
  if (const absl::Status status = FindModel(call); !status.ok()) return Fail(status);
  return Conversation(options, std::move(call)).Run();
}

}  // namespace krypton::cli
