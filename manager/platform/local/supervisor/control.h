// The supervisor's side of its control socket. A manager that connects is told how things stand,
// and then each change, in lines of text; it sends lines too. One thread.
//
//   supervisor: hello pid=7 start=123 agent=8 proxy=9 phase=running ready=1
//               exit agent status=3 | exit proxy signal=9 | exit agent error=2
//               phase draining | stopping
//   manager:    ready | drain GRACE_MS | kill
#pragma once

#include <poll.h>

namespace krypton::supervisor {

class Control {
 public:
  static constexpr int kMaxConnections = 4;

  explicit Control(int listener) : listener_(listener) {}

  // Takes one waiting connection, if there is one; its number, or -1.
  int Accept();
  int connections() const { return count_; }
  int listener() const { return listener_; }
  int fd(int connection) const { return connections_[connection].fd; }

  // To one connection, or to all. A manager that does not read is cut off.
  void Say(int connection, const char* line);
  void SayAll(const char* line);

  // Reads what has come, and hands out whole lines; null: no more. The text is valid until the next
  // call.
  void Read(int connection);
  const char* NextLine(int connection);

 private:
  struct Connection {
    int fd = -1;
    char buffer[256];
    int used = 0;
    int taken = 0;
  };

  void Close(int connection);

  const int listener_;
  Connection connections_[kMaxConnections];
  int count_ = 0;
};

}  // namespace krypton::supervisor
