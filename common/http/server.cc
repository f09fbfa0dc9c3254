#include "common/http/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "common/config/descriptors.h"
#include "common/config/file.h"
#include "common/http/address.h"
#include "common/http/shard.h"
#include "common/http/socket.h"
#include "common/http/text.h"
#include "common/log/log.h"

namespace krypton::http {
namespace {

constexpr int kBacklog = 4096;
// When descriptors or connections are used up: how soon to try again.
constexpr milliseconds kAcceptPause{20};
constexpr milliseconds kPoll{2};

absl::Status ErrnoStatus(std::string_view what, std::string_view address) {
  return absl::UnavailableError(Concat(what, " ", address, ": ", std::strerror(errno)));
}

absl::StatusOr<int> Listen(const std::string& address_text) {
  const absl::StatusOr<std::string> address = ToSockaddr(address_text);
  if (!address.ok()) return address.status();
  const auto* raw = reinterpret_cast<const sockaddr*>(address->data());
  config::UniqueFd fd(::socket(raw->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return ErrnoStatus("socket for", address_text);
  const int on = 1;
  if (raw->sa_family == AF_UNIX) {
    ::unlink(address_text.c_str());
  } else {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // Accepted ones inherit it.
  }
  if (::bind(fd.get(), raw, static_cast<socklen_t>(address->size())) != 0) {
    return ErrnoStatus("cannot bind", address_text);
  }
  if (::listen(fd.get(), kBacklog) != 0) return ErrnoStatus("cannot listen on", address_text);
  return fd.Release();
}

std::string BoundAddress(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  return FromSockaddr({reinterpret_cast<const char*>(&storage), size});
}

}  // namespace

struct Server::Impl {
  Impl(Workers& server_workers, ServerSettings server_settings, Handler server_handler)
      : workers(server_workers),
        settings(std::move(server_settings)),
        handler(std::move(server_handler)) {
    for (int i = 0; i < workers.size(); ++i) {
      shards.push_back(std::make_unique<ServerShard>(workers[i], settings, handler));
    }
  }

  Task<void> Accept();
  void Hand(int fd, std::string peer);
  void StopAccepting();
  int64_t Connections() const;
  bool WaitForEnd(TimePoint deadline, bool connections_too) const;

  Workers& workers;
  ServerSettings settings;
  Handler handler;
  std::vector<std::unique_ptr<ServerShard>> shards;
  Socket listener;  // Of worker 0.
  std::atomic<bool> accepting{false};
  size_t next_shard = 0;
  bool started = false;
};

// Connections are handed out in turn: the kernel's choice among SO_REUSEPORT sockets is a hash,
// which for the few dozen connections of a busy peer loads the workers unevenly.
void Server::Impl::Hand(int fd, std::string peer) {
  ServerShard& shard = *shards[next_shard++ % shards.size()];
  shard.connections.fetch_add(1, std::memory_order_relaxed);
  if (&shard.worker == Worker::Current()) {
    shard.Adopt(fd, std::move(peer));
  } else {
    shard.worker.Post([&shard, fd, peer = std::move(peer)] { shard.Adopt(fd, peer); });
  }
}

Task<void> Server::Impl::Accept() {
  static log::Limiter limiter(std::chrono::seconds(10));
  Worker& worker = workers[0];
  while (true) {
    const Ready ready = co_await listener.Readable(kNever);
    if (ready == Ready::kInterrupted) break;
    if (Connections() >= settings.limits.max_connections) {
      co_await worker.Sleep(kAcceptPause);
      continue;
    }
    sockaddr_storage storage{};
    socklen_t size = sizeof(storage);
    const int fd = ::accept4(listener.fd(), reinterpret_cast<sockaddr*>(&storage), &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && config::TakesReserve(fd)) {
      ::close(fd);
      if (limiter.Allow()) {
        log::Warn("a connection was refused: few file descriptors are left",
                  {{"hint", "raise the limit of open files (ulimit -n, LimitNOFILE)"}});
      }
    } else if (fd >= 0) {
      Hand(fd, IpOf({reinterpret_cast<const char*>(&storage), size}));
    } else if (errno == EAGAIN) {
      listener.Exhausted();
    } else if (config::IsExhaustion(errno)) {
      co_await worker.Sleep(kAcceptPause);
    }
  }
  listener.Close();
  if (settings.bind_address[0] == '/') ::unlink(settings.bind_address.c_str());
  accepting.store(false, std::memory_order_release);
}

int64_t Server::Impl::Connections() const {
  int64_t total = 0;
  for (const auto& shard : shards) total += shard->connections.load(std::memory_order_acquire);
  return total;
}

void Server::Impl::StopAccepting() {
  workers[0].Post([this] {
    if (listener.is_open()) listener.Interrupt();
  });
  while (accepting.load(std::memory_order_acquire)) std::this_thread::sleep_for(kPoll);
}

bool Server::Impl::WaitForEnd(TimePoint deadline, bool connections_too) const {
  while (true) {
    int64_t left = 0;
    for (const auto& shard : shards) left += shard->in_flight.load(std::memory_order_acquire);
    if (connections_too) left += Connections();
    if (left == 0) return true;
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kPoll);
  }
}

Server::Server(Workers& workers, ServerSettings settings, Handler handler)
    : impl_(std::make_unique<Impl>(workers, std::move(settings), std::move(handler))) {}

Server::~Server() { Stop(); }

absl::StatusOr<std::string> Server::Start() {
  const absl::StatusOr<int> fd = Listen(impl_->settings.bind_address);
  if (!fd.ok()) return fd.status();
  const std::string bound = BoundAddress(*fd);
  impl_->started = true;
  impl_->accepting = true;
  impl_->workers[0].Post([impl = impl_.get(), listener = *fd] {
    impl->listener = Socket(impl->workers[0], listener);
    impl->workers[0].Spawn(impl->Accept());
  });
  return bound;
}

void Server::Adopt(Worker& worker, int fd, std::string peer) {
  ServerShard& shard = *impl_->shards[static_cast<size_t>(worker.index())];
  shard.connections.fetch_add(1, std::memory_order_relaxed);
  shard.Adopt(fd, std::move(peer));
}

void Server::BeginDrain(bool keep_listening) {
  if (!impl_->started) return;
  if (!keep_listening) impl_->StopAccepting();
  for (const auto& shard : impl_->shards) {
    shard->worker.Post([part = shard.get(), keep_listening] {
      part->draining = true;
      // A client may be about to send on a connection that looks idle: as long as there is time, it
      // learns from its next answer instead.
      if (!keep_listening) part->ShutAll(Cancelled::kNo);
    });
  }
}

bool Server::Drain(TimePoint soft_deadline, TimePoint hard_deadline) {
  if (!impl_->started) return true;
  BeginDrain();
  impl_->workers.ForEach([](Worker&) {});  // The posts before have run.
  bool ended = impl_->WaitForEnd(soft_deadline, false);
  if (!ended) {
    for (const auto& shard : impl_->shards) {
      shard->worker.Post([part = shard.get()] { part->ShutAll(Cancelled::kDraining); });
    }
    ended = impl_->WaitForEnd(hard_deadline, false);
  }
  Stop();
  return ended;
}

void Server::Stop() {
  if (!impl_->started) return;
  BeginDrain();
  for (const auto& shard : impl_->shards) {
    shard->worker.Post([part = shard.get()] { part->ShutAll(Cancelled::kShutdown); });
  }
  impl_->WaitForEnd(kNever, true);
  impl_->workers.ForEach([](Worker&) {});  // Without connections the posts may still be to come.
  impl_->started = false;
}

int64_t Server::connections() const { return impl_->Connections(); }

int64_t Server::requests_in_flight() const {
  int64_t total = 0;
  for (const auto& shard : impl_->shards) {
    total += shard->in_flight.load(std::memory_order_relaxed);
  }
  return total;
}

}  // namespace krypton::http
