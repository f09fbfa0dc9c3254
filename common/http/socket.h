// Socket: one connected stream socket of one worker, non-blocking. Reads and writes are plain
// system calls; what is awaited is readiness. A waiting socket therefore holds no buffer, a read
// that delivered all there was is not tried again, and no operation allocates.
//
// Asio's own read operations hold their buffer while they wait and, in 1.81, try the call again
// after each short read (one EAGAIN a request and side); its async_wait costs an epoll_ctl instead.
// So socket.cc queues an operation of its own at asio's reactor that only notes the edge.
//
// With edges alone a FIN that arrives together with data would go unnoticed: 20 ms after a short
// read the next wait looks again, once (see Direction::verified).
//
// Move-only; closes when destroyed. Requires then: no coroutine waits on it.
#pragma once

#include <sys/uio.h>

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "common/http/task.h"
#include "common/http/timer_wheel.h"

namespace krypton::http {

class Worker;
class Buffer;

// Pieces to write in one call.
class IoVecs {
 public:
  static constexpr size_t kMax = 16;

  void Add(std::string_view piece) {
    if (!piece.empty()) vecs_[count_++] = {const_cast<char*>(piece.data()), piece.size()};
  }
  void AddAll(const IoVecs& other) {
    for (size_t i = other.first_; i < other.count_; ++i) vecs_[count_++] = other.vecs_[i];
  }
  bool empty() const { return first_ == count_; }
  bool full() const { return count_ + 4 >= kMax; }  // Room is kept for a head and framing.
  size_t bytes() const;
  iovec* data() { return &vecs_[first_]; }
  size_t count() const { return count_ - first_; }
  void Advance(size_t bytes);
  void Clear() { first_ = count_ = 0; }

 private:
  std::array<iovec, kMax> vecs_;
  size_t first_ = 0;
  size_t count_ = 0;
};

enum class Ready : uint8_t { kReady, kTimedOut, kInterrupted };
enum class ReadEnd : uint8_t { kData, kNothingYet, kEof, kError };
enum class WriteEnd : uint8_t { kDone, kBlocked, kTimedOut, kInterrupted, kError };

// Told of an edge while no coroutine waits for one.
class ReadListener {
 public:
  virtual void OnReadable() = 0;

 protected:
  ~ReadListener() = default;
};

class SocketCore;

class Socket {
 public:
  Socket() = default;
  // Takes over `fd`, which is non-blocking. On `worker`'s thread, as everything here.
  Socket(Worker& worker, int fd);
  Socket(Socket&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() { Close(); }

  bool is_open() const { return core_ != nullptr; }
  int fd() const;
  void Close();

  // Reads what there is into `buffer`, which is empty before.
  ReadEnd Read(Buffer& buffer);
  // The caller's own call on fd() would have blocked (accept).
  void Exhausted();
  // Whether the peer has ended the connection, at least its side, even behind unread bytes.
  bool LooksClosed();
  // Neither bytes to read nor an end.
  bool IsQuiet();

  // Writes as much as goes at once, and advances `vecs`: kDone, kBlocked or kError.
  WriteEnd TryWrite(IoVecs& vecs);
  // Writes the rest; `timeout` is the longest time without progress.
  Task<WriteEnd> WriteRest(IoVecs& vecs, milliseconds timeout);
  // No more bytes from us.
  void ShutdownWrite();
  // Close sends RST instead of FIN: the peer must not take what it got for complete.
  void ResetOnClose();

  // From now on every wait ends as kInterrupted, also those that are under way.
  void Interrupt();
  void ClearInterrupt();
  // Whoever waits looks again: the wait ends as kReady, whether there is anything or not.
  void Poke();

  // Replaces the listener; null takes it away. It hears of edges from now on, once each.
  void Listen(ReadListener* listener);

  class ReadableAwaiter {
   public:
    bool await_ready() const;
    void await_suspend(std::coroutine_handle<> handle);
    Ready await_resume();

   private:
    friend class Socket;
    ReadableAwaiter(SocketCore& core, TimePoint deadline) : core_(core), deadline_(deadline) {}
    SocketCore& core_;
    TimePoint deadline_;
  };
  class WritableAwaiter {
   public:
    bool await_ready() const;
    void await_suspend(std::coroutine_handle<> handle);
    Ready await_resume();

   private:
    friend class Socket;
    WritableAwaiter(SocketCore& core, TimePoint deadline) : core_(core), deadline_(deadline) {}
    SocketCore& core_;
    TimePoint deadline_;
  };

  // One waiter a direction.
  ReadableAwaiter Readable(TimePoint deadline) { return {*core_, deadline}; }
  WritableAwaiter Writable(TimePoint deadline) { return {*core_, deadline}; }

 private:
  friend Task<absl::StatusOr<Socket>> Connect(Worker& worker, std::string address,
                                              TimePoint deadline);

  SocketCore* core_ = nullptr;
};

// Connects to the kernel address whose bytes `address` holds. kUnavailable, kDeadlineExceeded.
Task<absl::StatusOr<Socket>> Connect(Worker& worker, std::string address, TimePoint deadline);

}  // namespace krypton::http
