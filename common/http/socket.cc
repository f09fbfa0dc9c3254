#include "common/http/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/basic_socket.hpp>
#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <cstring>

#include "common/http/buffer.h"
#include "common/http/text.h"
#include "common/http/workers.h"

namespace krypton::http {

namespace {

using boost::asio::detail::reactor;
using boost::asio::detail::reactor_op;

constexpr milliseconds kVerifyAfter{20};
constexpr milliseconds kBacklogPause{2};

}  // namespace

// What the reactor and the wheel refer to; outlives the Socket until the reactor has let go.
class SocketCore {
 public:
  SocketCore(Worker& worker, int fd)
      : worker_(worker),
        fd_(fd),
        reactor_(boost::asio::use_service<reactor>(worker.context())),
        read_(*this, reactor::read_op),
        write_(*this, reactor::write_op) {
    reactor_.register_descriptor(fd_, data_);
  }

  // One direction of the socket: who waits for it, and what the reactor was asked.
  struct Direction final : TimerNode {
    // The operation that waits at the reactor for the next edge.
    struct Edge final : reactor_op {
      explicit Edge(Direction& owner)
          : reactor_op(boost::system::error_code(), &Perform, &Complete), direction(owner) {}
      // Exhausted: the reactor calls again only after another edge.
      static status Perform(reactor_op*) { return done_and_exhausted; }
      static void Complete(void* owner, boost::asio::detail::operation* base,
                           const boost::system::error_code&, std::size_t) {
        static_cast<Edge*>(base)->direction.OnEdge(owner != nullptr);
      }
      Direction& direction;
    };

    Direction(SocketCore& socket, int op_type) : core(socket), type(op_type), edge(*this) {}

    void Wait(std::coroutine_handle<> handle, TimePoint until) {
      waiter = handle;
      deadline = until;
      timed_out = false;
      Ask();
      const TimePoint look_again = verified ? kNever : core.worker_.Now() + kVerifyAfter;
      core.worker_.Arm(*this, std::min(until, look_again));
    }
    void Ask() {
      if (asked) return;
      asked = true;
      core.reactor_.start_op(type, core.fd_, core.data_, &edge, false, true);
    }
    Ready Result() {
      if (core.interrupted_) return Ready::kInterrupted;
      return std::exchange(timed_out, false) ? Ready::kTimedOut : Ready::kReady;
    }
    void OnEdge(bool running) {
      asked = false;
      if (core.closed_) return core.DeleteIfUnused();
      if (!running) return;
      ready = true;
      if (waiter) {
        Disarm();
        internal::RunFrom(std::exchange(waiter, nullptr));
      } else if (listener) {
        listener->OnReadable();
      }
    }
    void OnTimer() override {
      if (!waiter) return;
      if (core.worker_.Now() >= deadline) {
        timed_out = true;
      } else if (!verified) {
        ready = true;
      } else {
        core.worker_.Arm(*this, deadline);
        return;
      }
      internal::RunFrom(std::exchange(waiter, nullptr));
    }
    void Disarm() { core.worker_.wheel().Disarm(*this); }
    void WakeSoon() {
      if (!waiter) return;
      Disarm();
      core.worker_.ResumeSoon(std::exchange(waiter, nullptr));
    }

    SocketCore& core;
    const int type;
    Edge edge;
    std::coroutine_handle<> waiter = nullptr;
    ReadListener* listener = nullptr;
    TimePoint deadline = kNever;
    bool asked = false;    // `edge` is with the reactor.
    bool ready = false;    // There was an edge since the call would last have blocked.
    bool verified = true;  // The call did block since the last data (or never delivered any).
    bool timed_out = false;
  };

  void Close() {
    closed_ = true;
    read_.listener = nullptr;
    reactor_.deregister_descriptor(fd_, data_, true);
    reactor_.cleanup_descriptor_data(data_);
    ::close(fd_);
    DeleteIfUnused();
  }
  void DeleteIfUnused() {
    if (!read_.asked && !write_.asked) delete this;
  }

  Worker& worker_;
  const int fd_;
  reactor& reactor_;
  reactor::per_descriptor_data data_ = nullptr;
  Direction read_;
  Direction write_;
  bool interrupted_ = false;
  bool closed_ = false;
};

size_t IoVecs::bytes() const {
  size_t total = 0;
  for (size_t i = first_; i < count_; ++i) total += vecs_[i].iov_len;
  return total;
}

void IoVecs::Advance(size_t bytes) {
  while (bytes > 0) {
    iovec& front = vecs_[first_];
    if (bytes < front.iov_len) {
      front.iov_base = static_cast<char*>(front.iov_base) + bytes;
      front.iov_len -= bytes;
      return;
    }
    bytes -= front.iov_len;
    ++first_;
  }
}

Socket::Socket(Worker& worker, int fd) : core_(new SocketCore(worker, fd)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    Close();
    core_ = std::exchange(other.core_, nullptr);
  }
  return *this;
}

int Socket::fd() const { return core_->fd_; }

void Socket::Close() {
  if (core_) std::exchange(core_, nullptr)->Close();
}

ReadEnd Socket::Read(Buffer& buffer) {
  const auto [memory, size] = buffer.Prepare(core_->worker_.buffers());
  ssize_t received;
  do {
    received = ::recv(core_->fd_, memory, size, 0);
  } while (received < 0 && errno == EINTR);
  SocketCore::Direction& read = core_->read_;
  if (received > 0) {
    buffer.Commit(static_cast<size_t>(received));
    if (static_cast<size_t>(received) < size) {
      read.ready = false;
      read.verified = false;
    }
    return ReadEnd::kData;
  }
  buffer.Release();
  if (received == 0) return ReadEnd::kEof;
  if (errno != EAGAIN) return ReadEnd::kError;
  read.ready = false;
  read.verified = true;
  return ReadEnd::kNothingYet;
}

void Socket::Exhausted() {
  core_->read_.ready = false;
  core_->read_.verified = true;
}

bool Socket::LooksClosed() {
  pollfd poll_fd{.fd = core_->fd_, .events = POLLRDHUP, .revents = 0};
  return ::poll(&poll_fd, 1, 0) > 0;
}

bool Socket::IsQuiet() {
  pollfd poll_fd{.fd = core_->fd_, .events = POLLIN | POLLRDHUP, .revents = 0};
  return ::poll(&poll_fd, 1, 0) == 0;
}

WriteEnd Socket::TryWrite(IoVecs& vecs) {
  while (!vecs.empty()) {
    msghdr message{};
    message.msg_iov = vecs.data();
    message.msg_iovlen = vecs.count();
    const ssize_t sent = ::sendmsg(core_->fd_, &message, MSG_NOSIGNAL);
    if (sent >= 0) {
      vecs.Advance(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      core_->write_.ready = false;
      return WriteEnd::kBlocked;
    } else if (errno != EINTR) {
      return WriteEnd::kError;
    }
  }
  return WriteEnd::kDone;
}

Task<WriteEnd> Socket::WriteRest(IoVecs& vecs, milliseconds timeout) {
  while (true) {
    const WriteEnd end = TryWrite(vecs);
    if (end != WriteEnd::kBlocked) co_return end;
    const Ready ready = co_await Writable(core_->worker_.Now() + timeout);
    if (ready == Ready::kTimedOut) co_return WriteEnd::kTimedOut;
    if (ready == Ready::kInterrupted) co_return WriteEnd::kInterrupted;
  }
}

void Socket::ShutdownWrite() { ::shutdown(core_->fd_, SHUT_WR); }

void Socket::ResetOnClose() {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(core_->fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

void Socket::Interrupt() {
  core_->interrupted_ = true;
  core_->read_.WakeSoon();
  core_->write_.WakeSoon();
}

void Socket::Poke() {
  core_->read_.WakeSoon();
  core_->write_.WakeSoon();
}

void Socket::ClearInterrupt() { core_->interrupted_ = false; }

void Socket::Listen(ReadListener* listener) {
  core_->read_.listener = listener;
  if (listener) core_->read_.Ask();
}

bool Socket::ReadableAwaiter::await_ready() const {
  return core_.read_.ready || core_.interrupted_;
}
void Socket::ReadableAwaiter::await_suspend(std::coroutine_handle<> handle) {
  core_.read_.Wait(handle, deadline_);
}
Ready Socket::ReadableAwaiter::await_resume() { return core_.read_.Result(); }

bool Socket::WritableAwaiter::await_ready() const {
  return core_.write_.ready || core_.interrupted_;
}
void Socket::WritableAwaiter::await_suspend(std::coroutine_handle<> handle) {
  core_.write_.Wait(handle, deadline_);
}
Ready Socket::WritableAwaiter::await_resume() { return core_.write_.Result(); }

Task<absl::StatusOr<Socket>> Connect(Worker& worker, std::string address, TimePoint deadline) {
  const auto* raw = reinterpret_cast<const sockaddr*>(address.data());
  const int fd = ::socket(raw->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) co_return absl::UnavailableError(Concat("socket: ", std::strerror(errno)));
  Socket socket(worker, fd);
  if (raw->sa_family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  int failure = 0;
  while (::connect(fd, raw, static_cast<socklen_t>(address.size())) != 0) {
    failure = errno;
    if (failure != EAGAIN || worker.Now() >= deadline) break;
    co_await worker.Sleep(kBacklogPause);  // A Unix socket whose backlog is full.
    failure = 0;
  }
  if (failure == 0) co_return std::move(socket);
  if (failure != EINPROGRESS) {
    co_return absl::UnavailableError(Concat("connect: ", std::strerror(failure)));
  }
  while (true) {
    const Ready ready = co_await socket.Writable(deadline);
    if (ready == Ready::kTimedOut) co_return absl::DeadlineExceededError("connect: timed out");
    if (ready == Ready::kInterrupted) co_return absl::CancelledError("connect: cancelled");
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      co_return absl::UnavailableError(Concat("connect: ", std::strerror(error)));
    }
    // The first edge may be left over from before the connect; a peer says that it is real.
    sockaddr_storage peer{};
    size = sizeof(peer);
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0) {
      co_return std::move(socket);
    }
    socket.core_->write_.ready = false;
  }
}

}  // namespace krypton::http
