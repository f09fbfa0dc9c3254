// The standard input and Ctrl-C of a command that talks: both are waited for at one place, so that
// neither a line nor an answer that is under way keeps a Ctrl-C from being heard. One thread; make
// it before any other thread, which then does not get SIGINT either.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace krypton::cli {

class Console {
 public:
  enum class Event { kReady, kInterrupt, kTimeout, kEnd };

  Console();
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // A person sits there: lines are asked for, and answers may be written over.
  bool terminal() const { return terminal_; }

  // The next line, without its end: kReady; kEnd: there is none any more.
  Event ReadLine(std::string* line);
  // Until `fd` can be read: kReady. No timeout: for ever.
  Event Wait(int fd, std::optional<std::chrono::milliseconds> timeout);

 private:
  bool TakeLine(std::string* line);

  const bool terminal_;
  int signals_ = -1;
  std::string buffer_;
  bool ended_ = false;
};

}  // namespace krypton::cli
