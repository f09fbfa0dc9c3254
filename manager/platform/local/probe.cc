#include "manager/platform/local/probe.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "boost/json.hpp"
#include "fmt/format.h"

namespace krypton::platform {
namespace {

// The port of `"ops":"127.0.0.1:8888"` in the sidecar's ready file; 0: it has none yet.
int OpsPort(const std::string& folder) {
  const auto text = ReadFile(folder + "/proxy.json", 64 << 10);
  if (!text.ok()) return 0;
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(*text, error);
  if (error.failed() || !value.is_object()) return 0;
  const boost::json::value* ops = value.get_object().if_contains("ops");
  if (ops == nullptr || !ops->is_string()) return 0;
  const std::string address(ops->get_string());
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon != std::string::npos) {
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  }
  return port;
}

}  // namespace

Probe::Probe(Loop& loop, const std::string& folder, std::chrono::milliseconds timeout,
             std::function<void(bool ready)> done)
    : loop_(loop), done_(std::move(done)) {
  const int port = OpsPort(folder);
  const bool asked = port > 0 && Ask(port);
  timer_ = loop_.After(asked ? timeout : std::chrono::milliseconds(0), [this] { Finish(false); });
}

Probe::~Probe() {
  loop_.Cancel(timer_);
  if (socket_.valid()) loop_.Unwatch(socket_.get());
}

bool Probe::Ask(int port) {
  socket_ = UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // On loopback a non-blocking connect is complete when it returns, or was refused.
  const int connected =
      connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (connected != 0 && errno != EINPROGRESS) return false;
  const std::string request =
      fmt::format("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", port);
  if (send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return false;
  }
  loop_.Watch(socket_.get(), [this] { OnReadable(); });
  return true;
}

void Probe::OnReadable() {
  char buffer[256];
  const ssize_t got = read(socket_.get(), buffer, sizeof buffer);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return Finish(false);
  answer_.append(buffer, static_cast<size_t>(got));
  if (answer_.size() >= 12) Finish(answer_.compare(8, 4, " 200") == 0);
}

void Probe::Finish(bool ready) {
  loop_.Cancel(timer_);
  if (socket_.valid()) loop_.Unwatch(socket_.get());
  socket_.Reset();
  // Its receiver may destroy this.
  const std::function<void(bool)> done = std::move(done_);
  if (done) done(ready);
}

}  // namespace krypton::platform
