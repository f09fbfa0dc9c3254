#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <deque>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/load.h"
#include "bench/net.h"
#include "bench/samples.h"

namespace krypton::bench {
namespace {

struct Connection {
  int fd = -1;
  bool busy = false;
  std::int64_t began = 0;
  std::string head;
  std::int64_t body_left = -1;  // -1: the head is not complete.
  bool good = false;
};

class Requests {
 public:
  explicit Requests(const LoadSettings& settings)
      : settings_(settings), text_(RequestText(settings)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    connections_.resize(settings.connections);
    for (Connection& connection : connections_) {
      connection.fd = Connect(settings.to);
      Watch(epoll_, connection.fd, EPOLLIN, &connection);
      free_.push_back(&connection);
    }
  }

  // For the settings' time; then waits for what is under way.
  void Run() {
    measure_from_ = NowNs() + Ns(settings_.warmup);
    end_ = measure_from_ + Ns(settings_.seconds);
    next_ = NowNs();
    if (!paced()) {
      for (Connection& connection : connections_) Begin(connection, NowNs());
    }
    Loop();
  }

  // One request on each connection, one after another: what a proxy holds then is what a connection
  // costs, not what a crowd once needed.
  void Once() {
    end_ = 0;
    for (Connection& connection : connections_) {
      Begin(connection, NowNs());
      Loop();
    }
  }

  // To a file, a line each: for whoever puts them beside what else happened then.
  void WriteSamples() const {
    if (settings_.samples.empty()) return;
    std::ofstream file(settings_.samples);
    for (const auto& [began, took] : answered_) file << began << ' ' << took << '\n';
    if (!file.flush()) Fail("cannot write " + settings_.samples);
  }

  void Print() {
    std::printf(
        "{\"requests\":%zu,\"errors\":%lld,\"seconds\":%.6f,\"rps\":%.1f,\"latency_us\":%s}\n",
        latency_.count(), static_cast<long long>(errors_), settings_.seconds,
        static_cast<double>(latency_.count()) / settings_.seconds, latency_.Json().c_str());
  }

 private:
  static std::int64_t Ns(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }
  bool paced() const { return settings_.rate > 0; }

  void Loop() {
    epoll_event events[512];
    while (busy_ > 0 || NowNs() < end_) {
      const std::int64_t last = busy_ > 0 ? end_ + kGrace : end_;
      const int count = WaitUntil(epoll_, events, 512, paced() && next_ < end_ ? next_ : last);
      for (int i = 0; i < count; ++i) OnReadable(*static_cast<Connection*>(events[i].data.ptr));
      if (paced()) Dispatch();
      if (busy_ > 0 && NowNs() > end_ + kGrace && end_ > 0) {
        errors_ += busy_;
        return;
      }
    }
  }

  // Sends what is due, as far as connections are free.
  void Dispatch() {
    std::exponential_distribution<double> gap(settings_.rate);
    for (const std::int64_t now = NowNs(); next_ <= now && next_ < end_;) {
      due_.push_back(next_);
      next_ += Ns(gap(random_));
    }
    while (!due_.empty() && !free_.empty()) {
      Connection& connection = *free_.back();
      const std::int64_t began = due_.front();
      due_.pop_front();
      Begin(connection, began);
    }
  }

  void Begin(Connection& connection, std::int64_t began) {
    if (paced()) free_.pop_back();
    connection.began = began;
    connection.head.clear();
    connection.body_left = -1;
    connection.busy = true;
    ++busy_;
    if (send(connection.fd, text_.data(), text_.size(), MSG_NOSIGNAL) < 0) Reopen(connection);
  }

  void OnReadable(Connection& connection) {
    static char buffer[256 << 10];
    const ssize_t count = recv(connection.fd, buffer, sizeof(buffer), 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return Reopen(connection);
    std::string_view data(buffer, count);
    if (connection.body_left < 0 && !ReadHead(connection, data)) return;
    connection.body_left -= static_cast<std::int64_t>(data.size());
    if (connection.body_left <= 0) Finish(connection, connection.good);
  }

  // Leaves the body's part in `data`. False: the head goes on.
  bool ReadHead(Connection& connection, std::string_view& data) {
    std::string_view head = data;
    if (!connection.head.empty()) {
      connection.head.append(data);
      head = connection.head;
    }
    const std::size_t end = head.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (connection.head.empty()) connection.head = data;
      return false;
    }
    connection.good = head.size() > 12 && head.substr(9, 3) == "200";
    const std::int64_t length = HeaderNumber(head.substr(0, end + 2), "content-length:");
    if (length < 0) Fail("an answer without content-length: " + std::string(head.substr(0, end)));
    connection.body_left = length;
    data = data.substr(data.size() - (head.size() - end - 4));
    return true;
  }

  void Finish(Connection& connection, bool good) {
    const std::int64_t now = NowNs();
    if (now >= measure_from_ && now < end_) {
      if (good) {
        latency_.Add(now - connection.began);
        if (!settings_.samples.empty()) {
          answered_.emplace_back(connection.began, now - connection.began);
        }
      } else {
        ++errors_;
      }
    }
    connection.busy = false;
    --busy_;
    if (paced()) {
      free_.push_back(&connection);
    } else if (now < end_) {
      Begin(connection, now);
    }
  }

  void Reopen(Connection& connection) {
    close(connection.fd);
    connection.fd = Connect(settings_.to);
    Watch(epoll_, connection.fd, EPOLLIN, &connection);
    if (connection.busy) Finish(connection, false);
  }

  static constexpr std::int64_t kGrace = 5'000'000'000;  // For what is under way at the end.

  const LoadSettings settings_;
  const std::string text_;
  const int epoll_;
  std::vector<Connection> connections_;
  std::vector<Connection*> free_;
  std::deque<std::int64_t> due_;
  std::mt19937_64 random_{1};
  std::int64_t measure_from_ = 0;
  std::int64_t end_ = 0;
  std::int64_t next_ = 0;
  std::int64_t busy_ = 0;
  std::int64_t errors_ = 0;
  Samples latency_;
  std::vector<std::pair<std::int64_t, std::int64_t>> answered_;  // When it began, what it took.
};

}  // namespace

int RunRequests(const LoadSettings& settings) {
  Requests requests(settings);
  requests.Run();
  requests.WriteSamples();
  requests.Print();
  return 0;
}

int RunIdle(const LoadSettings& settings) {
  Requests requests(settings);
  requests.Once();
  std::printf("{\"connections\":%d}\n", settings.connections);
  std::fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}

}  // namespace krypton::bench
