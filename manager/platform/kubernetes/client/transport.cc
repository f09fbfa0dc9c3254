#include "manager/platform/kubernetes/client/transport.h"

#include <httplib.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "common/config/address.h"
#include "manager/platform/kubernetes/client/tls_material.h"

namespace krypton::kube {
namespace {

constexpr char kSent[] = "krypton.ai/kubernetes-sent";

// A peer that vanished is noticed within a minute, also on a watch that says nothing for long.
void SetSocketOptions(int fd) {
  const auto set = [fd](int level, int name, int value) {
    setsockopt(fd, level, name, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
}

// The first address of `host`, as text.
std::string Resolve(const std::string& host) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return host;
  char text[NI_MAXHOST] = {};
  getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  freeaddrinfo(found);
  return text;
}

absl::Status Broken(const std::string& what, bool sent) {
  absl::Status status = absl::UnavailableError("Kubernetes API: " + what);
  if (sent) status.SetPayload(kSent, absl::Cord("yes"));
  return status;
}

// One connection. Its user is one thread; Cancel may come from any.
class Connection {
 public:
  Connection(const Config& config, const TransportSettings& settings)
      : client_(ExpectedName(config), config.port, nullptr, nullptr),
        authority_(config::ToString(
            {.host = ExpectedName(config), .port = static_cast<uint16_t>(config.port)})) {
    client_.set_keep_alive(true);
    client_.set_url_encode(false);
    client_.set_decompress(false);
    client_.set_tcp_nodelay(true);
    client_.set_connection_timeout(settings.connect_timeout);
    client_.set_write_timeout(std::chrono::seconds(10));
    client_.set_socket_options([this](int fd) {
      SetSocketOptions(fd);
      Keep(dup(fd));
    });
    if (!config.tls_server_name.empty()) {
      client_.set_hostname_addr_map({{config.tls_server_name, Resolve(config.host)}});
    }
    // cpp-httplib would load the system's authorities into a store that nobody looks into.
    if (!config.ca.empty()) client_.set_ca_cert_path("", "/nonexistent");
    setup_ = SetUpTls(config, client_.ssl_context());
  }
  ~Connection() { Keep(-1); }

  const absl::Status& setup() const { return setup_; }

  // Whether an idle connection can take a request: what the server says unasked is its goodbye, and
  // what was cancelled at its very end stays so.
  bool Usable() {
    const std::lock_guard lock(mutex_);
    pollfd poll_fd = {.fd = fd_, .events = POLLIN | POLLRDHUP, .revents = 0};
    return !cancelled_ && fd_ >= 0 && poll(&poll_fd, 1, 0) == 0;
  }

  absl::StatusOr<HttpAnswer> Send(const HttpRequest& request, const TransportSettings& settings);

  // Ends the request that runs: again and again, since it may be connecting. Returns when it has
  // ended, or at once when called from within it.
  void Cancel() {
    std::unique_lock lock(mutex_);
    cancelled_ = true;
    while (busy_) {
      if (fd_ >= 0) shutdown(fd_, SHUT_RDWR);
      if (user_ == std::this_thread::get_id()) return;
      changed_.wait_for(lock, std::chrono::milliseconds(10), [this] { return !busy_; });
    }
  }

 private:
  // A second descriptor of the socket, with which it can be shut down whatever cpp-httplib does.
  void Keep(int fd) {
    const std::lock_guard lock(mutex_);
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }
  void SetBusy(bool busy) {
    const std::lock_guard lock(mutex_);
    busy_ = busy;
    user_ = std::this_thread::get_id();
    changed_.notify_all();
  }
  httplib::Request ToHttplib(const HttpRequest& request, const TransportSettings& settings);
  absl::Status ToStatus(httplib::Error error, bool sent) const;

  httplib::SSLClient client_;
  const std::string authority_;
  absl::Status setup_;
  absl::Status refused_;  // by the gate

  std::atomic<bool> cancelled_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  int fd_ ABSL_GUARDED_BY(mutex_) = -1;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread::id user_ ABSL_GUARDED_BY(mutex_);
};

httplib::Request Connection::ToHttplib(const HttpRequest& request,
                                       const TransportSettings& settings) {
  httplib::Request out;
  out.method = request.method;
  out.path = request.target;
  out.headers = {{"Host", authority_},
                 {"Accept", "application/json"},
                 {"Accept-Encoding", "identity"},
                 {"User-Agent", settings.user_agent}};
  if (!request.token.empty()) out.headers.emplace("Authorization", "Bearer " + request.token);
  if (request.body.empty()) return out;
  out.headers.emplace("Content-Type", request.content_type);
  out.content_length_ = request.body.size();
  out.content_provider_ = [this, &request](size_t offset, size_t length, httplib::DataSink& sink) {
    if (cancelled_) return false;
    if (request.gate) refused_ = request.gate();
    if (!refused_.ok()) return false;
    return sink.write(request.body.data() + offset, length);
  };
  return out;
}

absl::Status Connection::ToStatus(httplib::Error error, bool sent) const {
  using httplib::Error;
  if (!refused_.ok()) return refused_;
  if (cancelled_ || error == Error::Canceled)
    return absl::CancelledError("Kubernetes API: cancelled");
  switch (error) {
    case Error::Connection:
    case Error::ConnectionTimeout:
      return Broken(absl::StrCat("cannot connect to ", authority_), false);
    case Error::SSLConnection:
      return Broken(absl::StrCat("the TLS handshake with ", authority_, " failed"), false);
    case Error::SSLLoadingCerts:
    case Error::SSLServerVerification: {
      const long result = client_.get_openssl_verify_result();
      return Broken(absl::StrCat("the certificate of ", authority_, " is not trusted: ",
                                 result == X509_V_OK ? "it has another name"
                                                     : X509_verify_cert_error_string(result)),
                    false);
    }
    default:
      return Broken(absl::StrCat(authority_, " broke the connection, or did not answer in time"),
                    sent);
  }
}

absl::StatusOr<HttpAnswer> Connection::Send(const HttpRequest& request,
                                            const TransportSettings& settings) {
  HttpAnswer answer;
  absl::Status too_large;
  httplib::Request out = ToHttplib(request, settings);
  out.response_handler = [&](const httplib::Response& response) {
    answer.code = response.status;
    answer.retry_after = response.get_header_value("Retry-After");
    return !cancelled_;
  };
  out.content_receiver = [&](const char* data, size_t length, uint64_t, uint64_t) {
    if (cancelled_) return false;
    if (request.receive && answer.code == 200) return request.receive({data, length});
    answer.body.append(data, length);
    if (answer.body.size() <= settings.max_answer_bytes) return true;
    too_large = absl::ResourceExhaustedError("Kubernetes API: the answer is too large");
    return false;
  };
  client_.set_read_timeout(request.read_timeout);
  refused_ = absl::OkStatus();
  SetBusy(true);
  httplib::Response response;
  httplib::Error error = httplib::Error::Success;
  bool done = false;
  {
    const std::stop_callback cancel(request.stop, [this] { Cancel(); });
    try {
      done = !cancelled_ && client_.send(out, response, error);
    } catch (const std::exception&) {
      error = httplib::Error::Read;  // What cannot be parsed.
    }
    SetBusy(false);
  }
  ERR_clear_error();
  if (!too_large.ok()) return too_large;
  if (!done) return ToStatus(error, true);
  answer.code = response.status;
  return answer;
}

}  // namespace

class Transport::Impl {
 public:
  Impl(const Config& config, TransportSettings settings)
      : config_(config), settings_(std::move(settings)) {}

  absl::StatusOr<HttpAnswer> Send(const HttpRequest& request) {
    auto connection = Take();
    if (!connection.ok()) return connection.status();
    auto answer = (*connection)->Send(request, settings_);
    GiveBack(*std::move(connection), answer.ok());
    return answer;
  }

  void Shutdown() {
    std::vector<std::shared_ptr<Connection>> active;
    {
      const std::lock_guard lock(mutex_);
      down_ = true;
      idle_.clear();
      active.assign(active_.begin(), active_.end());
    }
    for (const auto& connection : active) connection->Cancel();
  }

 private:
  absl::StatusOr<std::shared_ptr<Connection>> Take() {
    std::shared_ptr<Connection> connection;
    {
      const std::lock_guard lock(mutex_);
      while (connection == nullptr && !idle_.empty()) {
        connection = std::move(idle_.back());
        idle_.pop_back();
        if (!connection->Usable()) connection.reset();
      }
    }
    if (connection == nullptr) {
      connection = std::make_shared<Connection>(config_, settings_);
      if (!connection->setup().ok()) return connection->setup();
    }
    const std::lock_guard lock(mutex_);
    if (down_) return absl::CancelledError("Kubernetes API: the client is shut down");
    active_.insert(connection);
    return connection;
  }

  // A connection on which anything went wrong, or whose answer was left unread, is not kept.
  void GiveBack(std::shared_ptr<Connection> connection, bool keep) {
    const std::lock_guard lock(mutex_);
    active_.erase(connection);
    if (keep && !down_ && idle_.size() < settings_.max_idle_connections) {
      idle_.push_back(std::move(connection));
    }
  }

  const Config config_;
  const TransportSettings settings_;
  std::mutex mutex_;
  bool down_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<std::shared_ptr<Connection>> active_ ABSL_GUARDED_BY(mutex_);
  // The one that was used last is used first, so that few stay warm.
  std::vector<std::shared_ptr<Connection>> idle_ ABSL_GUARDED_BY(mutex_);
};

Transport::Transport(const Config& config, TransportSettings settings)
    : impl_(std::make_unique<Impl>(config, std::move(settings))) {}
Transport::~Transport() = default;

absl::StatusOr<HttpAnswer> Transport::Send(const HttpRequest& request) {
  return impl_->Send(request);
}
void Transport::Shutdown() { impl_->Shutdown(); }

bool WasSent(const absl::Status& status) { return status.GetPayload(kSent).has_value(); }

}  // namespace krypton::kube
