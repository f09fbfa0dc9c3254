#include "common/ops/backend.h"

#include <fcntl.h>
#include <httplib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "common/log/log.h"
#include "common/ops/hidden.h"
#include "common/ops/thread_pool.h"

namespace krypton::ops {
namespace {

// How soon a stream notices that its client has gone, or that the server stops.
constexpr std::chrono::milliseconds kStreamWait{250};
// The front takes what is written at once, or not at all.
constexpr std::chrono::seconds kTimeout{30};
constexpr int kBacklog = 4096;

// void in cpp-httplib 0.11 (Debian 12), bool in 0.18 (Debian 13).
using Enqueued = decltype(std::declval<httplib::TaskQueue&>().enqueue({}));

class PoolQueue : public httplib::TaskQueue {
 public:
  explicit PoolQueue(int threads) : pool_(threads) {}
  Enqueued enqueue(std::function<void()> job) override {
    pool_.Enqueue(std::move(job));
    return static_cast<Enqueued>(true);
  }
  void shutdown() override { pool_.Shutdown(); }

 private:
  ThreadPool pool_;
};

transcode::Request Convert(const httplib::Request& from) {
  transcode::Request request{from.method, from.target, {}, from.body, ""};
  for (const auto& [name, value] : from.headers) {
    // cpp-httplib's own additions.
    if (name == "REMOTE_ADDR" || name == "REMOTE_PORT" || name == "LOCAL_ADDR" ||
        name == "LOCAL_PORT") {
      continue;
    }
    request.headers.push_back({name, value});
  }
  Unhide(request);
  return request;
}

std::string Chunk(const std::string& data) {
  char size[20];
  snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}

std::string LastChunk(const std::vector<transcode::Header>& trailers) {
  std::string text = "0\r\n";
  for (const auto& [name, value] : trailers) {
    if ((name + value).find_first_of("\r\n") == std::string::npos) {
      text += name + ": " + value + "\r\n";
    }
  }
  return text + "\r\n";
}

// Sends the next piece of `stream`. False ends the connection: the client has gone.
bool Pump(transcode::BodyStream& stream, httplib::DataSink& sink) {
  const auto piece = stream.Next(kStreamWait);
  switch (piece.state) {
    case transcode::BodyStream::State::kWaiting:
      return sink.is_writable();
    case transcode::BodyStream::State::kData: {
      if (piece.data.empty()) return true;
      const std::string chunk = Chunk(piece.data);
      return sink.write(chunk.data(), chunk.size());
    }
    case transcode::BodyStream::State::kEnd: {
      const std::string last = LastChunk(piece.trailers);
      const bool written = sink.write(last.data(), last.size());
      sink.done();
      return written;
    }
  }
  return false;
}

// A private socket and a path to it. The folder exists only while httplib binds.
class HiddenSocket {
 public:
  ~HiddenSocket() {
    if (fd_ >= 0) close(fd_);
  }
  absl::Status Bind(httplib::Server& server) {
    const char* tmp = getenv("TMPDIR");
    std::string folder =
        std::string(tmp != nullptr && *tmp != '\0' ? tmp : "/tmp") + "/krypton-ops.XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) {
      return absl::UnavailableError("cannot create " + folder + ": " + strerror(errno));
    }
    const std::string path = folder + "/s";
    server.set_address_family(AF_UNIX);
    // Instead of the default, which asks for SO_REUSEPORT: a Unix socket has none.
    int listener = -1;
    server.set_socket_options([&listener](socket_t fd) { listener = fd; });
    // The port has no meaning here, but 0 would make it ask for one.
    const bool bound = server.bind_to_port(path, 1);
    server.set_socket_options([](socket_t) {});
    // 0.11 asks for a backlog of 5; a connection beyond it would fail at once.
    if (bound && listen(listener, kBacklog) == 0) fd_ = open(path.c_str(), O_PATH | O_CLOEXEC);
    unlink(path.c_str());
    rmdir(folder.c_str());
    if (fd_ < 0) return absl::UnavailableError("cannot listen on " + path);
    return absl::OkStatus();
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_ = -1;
};

}  // namespace

struct Backend::Impl {
  Settings settings;
  Dispatch dispatch;
  httplib::Server server;
  HiddenSocket socket;
  std::thread acceptor;
  std::atomic<int> streams{0};

  void Configure() {
    server.new_task_queue = [this] { return new PoolQueue(settings.threads); };
    // One request a connection: an idle one would hold a thread.
    server.set_keep_alive_max_count(1);
    server.set_read_timeout(kTimeout);
    server.set_write_timeout(kTimeout);
    server.set_payload_max_length(settings.max_body_bytes);
    const auto handler = [this](const httplib::Request& from, httplib::Response& to) {
      Answer(from, to);
    };
    const char* any = R"([\s\S]*)";
    server.Get(any, handler);  // HEAD too
    server.Post(any, handler);
    server.Put(any, handler);
    server.Patch(any, handler);
    server.Delete(any, handler);
    server.Options(any, handler);
    server.set_exception_handler([](const httplib::Request& from, httplib::Response& to,
                                    std::exception_ptr thrown) {
      std::string what = "unknown";
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& exception) {
        what = exception.what();
      } catch (...) {  // Not swallowed: logged as unknown below.
      }
      log::Error("a request failed", {{"path", from.path}, {"error", what}});
      to.status = 500;
      to.headers.clear();
      to.set_content(R"({"code":13,"message":"internal error","details":[]})", "application/json");
    });
  }

  void Answer(const httplib::Request& from, httplib::Response& to) {
    transcode::Response response = dispatch(Convert(from));
    if (response.stream != nullptr && streams.fetch_add(1) >= settings.max_streams) {
      streams.fetch_sub(1);
      response = {503,
                  {{"Content-Type", "application/json"}, {"Retry-After", "1"}},
                  R"({"code":14,"message":"too many streams are open here","details":[]})",
                  nullptr};
    }
    to.status = response.status;
    std::string content_type;
    for (const auto& [name, value] : response.headers) {
      if (strcasecmp(name.c_str(), "content-type") == 0) {
        content_type = value;
      } else {
        to.set_header(name, value);
      }
    }
    if (response.stream != nullptr) return Stream(std::move(response.stream), content_type, to);
    if (!content_type.empty()) to.set_header("Content-Type", content_type);
    to.body = std::move(response.body);
  }

  // Frames the chunks here: 0.11 can neither send trailers nor leave compression off.
  void Stream(std::shared_ptr<transcode::BodyStream> stream, const std::string& content_type,
              httplib::Response& to) {
    to.set_header("Transfer-Encoding", "chunked");
    to.set_content_provider(
        content_type.empty() ? "application/json" : content_type,
        [stream](size_t, httplib::DataSink& sink) { return Pump(*stream, sink); },
        [this, stream](bool) { streams.fetch_sub(1); });
  }
};

Backend::Backend(Settings settings, Dispatch dispatch) : impl_(std::make_unique<Impl>()) {
  impl_->settings = settings;
  impl_->dispatch = std::move(dispatch);
  impl_->Configure();
}

Backend::~Backend() { Stop(); }

absl::StatusOr<std::string> Backend::Start() {
  if (absl::Status status = impl_->socket.Bind(impl_->server); !status.ok()) return status;
  impl_->acceptor = std::thread([this] { impl_->server.listen_after_bind(); });
  return impl_->socket.path();
}

void Backend::Stop() {
  if (!impl_->acceptor.joinable()) return;
  // stop() does nothing before the acceptor runs.
  while (!impl_->server.is_running()) std::this_thread::yield();
  impl_->server.stop();
  impl_->acceptor.join();
}

}  // namespace krypton::ops
