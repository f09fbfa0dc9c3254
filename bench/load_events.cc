#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load.h"
#include "bench/net.h"
#include "bench/samples.h"

namespace krypton::bench {
namespace {

constexpr int kPatienceMs = 10'000;

struct Stream {
  int fd = -1;
  std::string partial;  // Of a line.
};

class Events {
 public:
  explicit Events(const LoadSettings& settings)
      : settings_(settings), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    const std::string text = RequestText(settings);
    streams_.resize(settings.connections);
    for (Stream& stream : streams_) {
      stream.fd = Connect(settings.to);
      Watch(epoll_, stream.fd, EPOLLIN, &stream);
      if (send(stream.fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) Fail("send");
      // One after another: what is held then is what streams cost, not what a crowd once needed.
      pollfd answered{.fd = stream.fd, .events = POLLIN, .revents = 0};
      if (poll(&answered, 1, kPatienceMs) != 1) Fail("no answer");
    }
    std::printf("open\n");
    std::fflush(stdout);
  }

  void Run() {
    measure_from_ = NowNs() + static_cast<std::int64_t>(settings_.warmup * 1e9);
    const std::int64_t end = measure_from_ + static_cast<std::int64_t>(settings_.seconds * 1e9);
    epoll_event events[512];
    while (NowNs() < end) {
      const int count = WaitUntil(epoll_, events, 512, end);
      for (int i = 0; i < count; ++i) OnReadable(*static_cast<Stream*>(events[i].data.ptr));
    }
  }

  void Print() {
    std::printf("{\"events\":%zu,\"ended\":%d,\"delay_us\":%s}\n", delay_.count(), ended_,
                delay_.Json().c_str());
  }

 private:
  void OnReadable(Stream& stream) {
    char buffer[16 << 10];
    const ssize_t count = recv(stream.fd, buffer, sizeof(buffer), 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
      ++ended_;
      close(stream.fd);
      return;
    }
    const std::int64_t now = NowNs();
    stream.partial.append(buffer, count);
    std::size_t begin = 0;
    for (std::size_t end; (end = stream.partial.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      OnLine(std::string_view(stream.partial).substr(begin, end - begin), now);
    }
    stream.partial.erase(0, begin);
  }

  void OnLine(std::string_view line, std::int64_t now) {
    constexpr std::string_view kData = "data: ";
    if (!line.starts_with(kData) || now < measure_from_) return;
    std::int64_t sent = 0;
    std::from_chars(line.data() + kData.size(), line.data() + line.size(), sent);
    delay_.Add(now - sent);
  }

  const LoadSettings settings_;
  const int epoll_;
  std::vector<Stream> streams_;
  std::int64_t measure_from_ = 0;
  int ended_ = 0;
  Samples delay_;
};

}  // namespace

int RunEvents(const LoadSettings& settings) {
  Events events(settings);
  events.Run();
  events.Print();
  return 0;
}

}  // namespace krypton::bench
