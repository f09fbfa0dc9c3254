#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load.h"
#include "bench/net.h"
#include "bench/samples.h"

namespace krypton::bench {
namespace {

constexpr int kTokens = 200;
constexpr std::string_view kToken = "data: {\"choices\":[{";
constexpr std::string_view kSent = "\"created\":";

struct Talk {
  int fd = -1;
  std::string partial;  // Of a line.
  bool done = false;    // [DONE] has come; the end of the body follows.
  std::int64_t asked = 0;
  // Of the last token.
  std::int64_t sent = 0;
  std::int64_t arrived = 0;
};

class Chat {
 public:
  explicit Chat(const LoadSettings& settings)
      : settings_(settings), epoll_(epoll_create1(EPOLL_CLOEXEC)), talks_(settings.connections) {}

  void Run() {
    const std::int64_t begin = NowNs();
    measure_from_ = begin + static_cast<std::int64_t>(settings_.warmup * 1e9);
    const std::int64_t end = measure_from_ + static_cast<std::int64_t>(settings_.seconds * 1e9);
    // At moments of their own, so that they do not speak in chorus.
    std::uniform_int_distribution<std::int64_t> moment(0, measure_from_ - begin);
    for (Talk& talk : talks_) starts_.push({begin + moment(random_), &talk});
    epoll_event events[512];
    while (NowNs() < end) {
      const std::int64_t next = starts_.empty() ? end : std::min(end, starts_.top().when);
      const int count = WaitUntil(epoll_, events, 512, next);
      for (int i = 0; i < count; ++i) OnReadable(*static_cast<Talk*>(events[i].data.ptr));
      while (!starts_.empty() && starts_.top().when <= NowNs()) {
        Talk& talk = *starts_.top().talk;
        starts_.pop();
        // The first one is cut short at random, for the same reason.
        Ask(talk, 1 + static_cast<int>(random_() % kTokens));
      }
    }
  }

  void Print() {
    std::printf("{\"tokens\":%zu,\"errors\":%d,\"first_us\":%s,\"gap_us\":%s}\n", tokens_, errors_,
                first_.Json().c_str(), gap_.Json().c_str());
  }

 private:
  struct Start {
    std::int64_t when;
    Talk* talk;
    bool operator<(const Start& other) const { return when > other.when; }
  };

  void Ask(Talk& talk, int tokens) {
    if (talk.fd < 0) {
      talk.fd = Connect(settings_.to);
      Watch(epoll_, talk.fd, EPOLLIN, &talk);
    }
    const std::string body =
        R"({"model":"chat","stream":true,"messages":[{"role":"user","content":"Say two hundred words."}]})";
    const std::string text =
        "POST " + settings_.target + " HTTP/1.1\r\nHost: " + settings_.host +
        "\r\nContent-Type: application/json\r\nX-Tokens: " + std::to_string(tokens) +
        "\r\nX-Pace-Us: " + std::to_string(settings_.pace_us) +
        "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    talk.done = false;
    talk.sent = 0;
    talk.asked = NowNs();
    if (send(talk.fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) Fail("send");
  }

  void OnReadable(Talk& talk) {
    char buffer[16 << 10];
    const ssize_t count = recv(talk.fd, buffer, sizeof(buffer), 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) Fail("a stream ended");
    const std::int64_t now = NowNs();
    talk.partial.append(buffer, count);
    std::size_t begin = 0;
    for (std::size_t end; (end = talk.partial.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      OnLine(talk, std::string_view(talk.partial).substr(begin, end - begin), now);
    }
    talk.partial.erase(0, begin);
  }

  void OnLine(Talk& talk, std::string_view line, std::int64_t now) {
    if (line.starts_with(kToken)) return OnToken(talk, line, now);
    if (line.starts_with("data: [DONE]")) {
      talk.done = true;
    } else if (line.starts_with("HTTP/1.1 ") && !line.starts_with("HTTP/1.1 200")) {
      ++errors_;
    } else if (talk.done && line == "0\r") {
      // Its empty line comes in the same packet.
      Ask(talk, kTokens);
    }
  }

  void OnToken(Talk& talk, std::string_view line, std::int64_t now) {
    const std::size_t at = line.find(kSent);
    if (at == line.npos) return;
    std::int64_t sent = 0;
    std::from_chars(line.data() + at + kSent.size(), line.data() + line.size(), sent);
    if (now >= measure_from_) {
      ++tokens_;
      // How much further from its predecessor it came than it was sent, or nearer.
      if (talk.sent != 0) gap_.Add(std::abs((now - talk.arrived) - (sent - talk.sent)));
      if (talk.sent == 0) first_.Add(now - talk.asked);
    }
    talk.sent = sent;
    talk.arrived = now;
  }

  const LoadSettings settings_;
  const int epoll_;
  std::vector<Talk> talks_;
  std::priority_queue<Start> starts_;
  std::mt19937_64 random_{1};
  std::int64_t measure_from_ = 0;
  std::size_t tokens_ = 0;
  int errors_ = 0;
  Samples first_, gap_;
};

}  // namespace

int RunChat(const LoadSettings& settings) {
  Chat chat(settings);
  chat.Run();
  chat.Print();
  return 0;
}

}  // namespace krypton::bench
