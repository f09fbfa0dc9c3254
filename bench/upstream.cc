// bench-upstream [--port N]: the server behind every proxy that is measured, and the agent whose
// cold start is timed (it takes PORT from the environment, and opens it BENCH_OPEN_AFTER_MS after
// its start). One thread.
//
//   GET /json              a small JSON answer
//   GET /body?bytes=N      N bytes
//   GET /events?interval_ms=N
//                          server-sent events, each with the time (CLOCK_MONOTONIC, ns) it was sent
//   POST /v1/chat/completions
//                          a streamed chat of llama.cpp's shape: as many tokens as the field
//                          X-Tokens says, one each X-Pace-Us, each with the time it was sent;
//                          usage; [DONE]
//   GET /born              the times, in the same clock, at which main() began, the port opened and
//                          this request arrived
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>

#include "bench/net.h"

namespace krypton::bench {
namespace {

constexpr std::size_t kMaxHead = 64 << 10;
constexpr std::string_view kJson =
    R"({"id":"a1b2c3","object":"answer","created":1764000000,"text":"Hello from the upstream."})";

struct Connection {
  std::uint64_t id = 0;  // Never used again, unlike its address.
  int fd = -1;
  std::string in;
  std::string out;
  std::size_t sent = 0;
  std::int64_t body_left = 0;  // Of the request's body, not read yet.
  std::int64_t interval_ns = 0;
  std::int64_t tokens_left = 0;  // Of a chat.
  std::int64_t tokens = 0;
  bool writing = false;  // Waits for room in the socket.
};

class Upstream {
 public:
  Upstream(std::uint16_t port, std::int64_t born) : born_(born) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    listener_ = Listen(port);
    opened_ = NowNs();
    Watch(epoll_, listener_, EPOLLIN, nullptr);
    std::printf("%u\n", port);
    std::fflush(stdout);
  }

  void Run() {
    epoll_event events[512];
    for (;;) {
      const std::int64_t deadline = ticks_.empty() ? -1 : ticks_.top().when;
      const int count = WaitUntil(epoll_, events, 512, deadline);
      for (int i = 0; i < count; ++i) {
        auto* connection = static_cast<Connection*>(events[i].data.ptr);
        if (connection == nullptr) {
          Accept();
        } else if (!OnEvent(*connection, events[i].events)) {
          Close(connection);
        }
      }
      SendEvents();
    }
  }

 private:
  struct Tick {
    std::int64_t when;
    std::uint64_t connection;
    bool operator<(const Tick& other) const { return when > other.when; }
  };

  void Accept() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      SendAtOnce(fd);
      auto* connection = new Connection{.id = ++last_id_, .fd = fd};
      live_[connection->id] = connection;
      Watch(epoll_, fd, EPOLLIN, connection);
    }
  }

  // False: the connection has ended.
  bool OnEvent(Connection& connection, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0 && !Flush(connection)) return false;
    return (events & ~std::uint32_t{EPOLLOUT}) == 0 || Read(connection);
  }

  bool Read(Connection& connection) {
    char buffer[64 << 10];
    const ssize_t count = recv(connection.fd, buffer, sizeof(buffer), 0);
    if (count == 0) return false;
    if (count < 0) return errno == EAGAIN;
    std::string_view data(buffer, count);
    const auto skip = std::min<std::int64_t>(connection.body_left, count);
    connection.body_left -= skip;
    connection.in.append(data.substr(skip));
    while (connection.body_left == 0) {
      const std::size_t end = connection.in.find("\r\n\r\n");
      if (end == std::string::npos) return connection.in.size() < kMaxHead && Flush(connection);
      const std::string_view head = std::string_view(connection.in).substr(0, end + 2);
      const auto body = std::max<std::int64_t>(HeaderNumber(head, "content-length:"), 0);
      Answer(connection, head);
      const std::size_t here = connection.in.size() - (end + 4);
      const std::size_t taken = std::min<std::size_t>(here, body);
      connection.body_left = body - static_cast<std::int64_t>(taken);
      connection.in.erase(0, end + 4 + taken);
    }
    return Flush(connection);
  }

  void Answer(Connection& connection, std::string_view head) {
    const std::size_t begin = head.find(' ') + 1;
    const std::string_view target = head.substr(begin, head.find(' ', begin) - begin);
    if (target.starts_with("/events")) {
      connection.out +=
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
          "Transfer-Encoding: chunked\r\n\r\n";
      connection.interval_ns = QueryNumber(target, "interval_ms", 1000) * 1'000'000;
      ticks_.push({NowNs() + connection.interval_ns, connection.id});
    } else if (target.starts_with("/v1/chat/completions")) {
      connection.out +=
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
          "chunked\r\n\r\n";
      connection.tokens = connection.tokens_left = HeaderNumber(head, "x-tokens:");
      connection.interval_ns = HeaderNumber(head, "x-pace-us:") * 1000;
      ticks_.push({NowNs(), connection.id});
    } else if (target.starts_with("/body")) {
      const std::int64_t bytes = QueryNumber(target, "bytes", 64 << 10);
      AddAnswer(connection, "application/octet-stream", std::string(bytes, 'x'));
    } else if (target.starts_with("/born")) {
      AddAnswer(connection, "application/json",
                "{\"main\":" + std::to_string(born_) + ",\"open\":" + std::to_string(opened_) +
                    ",\"request\":" + std::to_string(NowNs()) + "}");
    } else {
      AddAnswer(connection, "application/json", kJson);
    }
  }

  static void AddAnswer(Connection& connection, std::string_view type, std::string_view body) {
    connection.out += "HTTP/1.1 200 OK\r\nContent-Type: ";
    connection.out += type;
    connection.out += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    connection.out += body;
  }

  bool Flush(Connection& connection) {
    while (connection.sent < connection.out.size()) {
      const ssize_t count = send(connection.fd, connection.out.data() + connection.sent,
                                 connection.out.size() - connection.sent, MSG_NOSIGNAL);
      if (count < 0 && errno != EAGAIN) return false;
      if (count < 0) {
        if (!connection.writing) Rewatch(epoll_, connection.fd, EPOLLIN | EPOLLOUT, &connection);
        connection.writing = true;
        return true;
      }
      connection.sent += count;
    }
    connection.out.clear();
    connection.sent = 0;
    if (connection.writing) Rewatch(epoll_, connection.fd, EPOLLIN, &connection);
    connection.writing = false;
    return true;
  }

  void SendEvents() {
    while (!ticks_.empty() && ticks_.top().when <= NowNs()) {
      const Tick tick = ticks_.top();
      ticks_.pop();
      const auto found = live_.find(tick.connection);
      if (found == live_.end()) continue;
      Connection* connection = found->second;
      const bool more = connection->tokens == 0 ? AddEvent(*connection) : AddToken(*connection);
      if (!Flush(*connection)) {
        Close(connection);
        continue;
      }
      if (more) ticks_.push({tick.when + connection->interval_ns, connection->id});
    }
  }

  static void AddChunk(Connection& connection, std::string_view event) {
    char size[24];
    std::snprintf(size, sizeof(size), "%zx\r\n", event.size());
    connection.out.append(size).append(event).append("\r\n");
  }

  static bool AddEvent(Connection& connection) {
    AddChunk(connection, "data: " + std::to_string(NowNs()) + "\n\n");
    return true;
  }

  // As llama.cpp's server writes them. False: that was the last.
  static bool AddToken(Connection& connection) {
    constexpr std::string_view kRest =
        ",\"id\":\"chatcmpl-0123456789abcdefghijklmnopqrstuv\",\"model\":\"chat\","
        "\"system_fingerprint\":\"b0-unknown\",\"object\":\"chat.completion.chunk\"";
    std::string event =
        "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\" "
        "word\"}}],"
        "\"created\":" +
        std::to_string(NowNs());
    event.append(kRest).append("}\n\n");
    AddChunk(connection, event);
    if (--connection.tokens_left > 0) return true;
    const std::string count = std::to_string(connection.tokens);
    event = "data: {\"choices\":[],\"created\":1";
    event.append(kRest).append(",\"usage\":{\"completion_tokens\":" + count +
                               ",\"prompt_tokens\":9,\"total_tokens\":" + count + "}}\n\n");
    AddChunk(connection, event);
    AddChunk(connection, "data: [DONE]\n\n");
    connection.out += "0\r\n\r\n";
    connection.tokens = 0;
    return false;
  }

  void Close(Connection* connection) {
    close(connection->fd);
    live_.erase(connection->id);
    delete connection;
  }

  const std::int64_t born_;
  std::int64_t opened_ = 0;
  int epoll_ = -1;
  int listener_ = -1;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, Connection*> live_;
  std::priority_queue<Tick> ticks_;
};

}  // namespace
}  // namespace krypton::bench

int main(int argc, char** argv) {
  const std::int64_t born = krypton::bench::NowNs();
  signal(SIGPIPE, SIG_IGN);
  krypton::bench::RaiseFileLimit();
  if (const char* wait = std::getenv("BENCH_OPEN_AFTER_MS")) usleep(std::atoi(wait) * 1000);
  const char* port = std::getenv("PORT");
  if (argc == 3 && std::strcmp(argv[1], "--port") == 0) port = argv[2];
  krypton::bench::Upstream upstream(port == nullptr ? 0 : std::atoi(port), born);
  upstream.Run();
}
