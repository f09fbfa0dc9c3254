// krypton chat MODEL: talks with a model through the gateway, as a person at a terminal does, or
// line by line through pipes. What was said is kept and sent along. Ctrl-C stops an answer; a
// second one, or one while nothing is answered, leaves.
#pragma once

#include <chrono>
#include <string>

#include "cli/addresses.h"

namespace krypton::config {
class Flags;
}

namespace krypton::cli {

struct ChatOptions {
  Addresses addresses;
  std::string model;
  std::string system;
  int max_tokens = 0;  // 0: the model's own bound.
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
};

void AddChat(config::Flags& flags, ChatOptions* options);
// 1 when there is no such model. At a terminal an error is told and the conversation goes on;
// through pipes the first ends it with 1.
int RunChat(const ChatOptions& options);

}  // namespace krypton::cli
