#include "common/ops/backend.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <mutex>

#include "common/ops/routes.h"
#include "common/ops/testing.h"

namespace krypton::ops {
namespace {

using testing::Connection;
using namespace std::chrono_literals;

// Gives `pieces`; then waits for ever. `destroyed` is set when nobody holds the stream any more.
std::unique_ptr<transcode::BodyStream> FakeStream(
    std::vector<transcode::BodyStream::Piece> pieces,
    std::shared_ptr<std::promise<void>> destroyed = nullptr) {
  const std::shared_ptr<void> guard(nullptr, [destroyed](void*) {
    if (destroyed != nullptr) destroyed->set_value();
  });
  auto next = std::make_shared<size_t>(0);
  return std::make_unique<transcode::BodyStream>(
      [pieces, next, guard](std::chrono::milliseconds) -> transcode::BodyStream::Piece {
        if (*next < pieces.size()) return pieces[(*next)++];
        std::this_thread::yield();
        return {transcode::BodyStream::State::kWaiting, "", {}};
      });
}

using State = transcode::BodyStream::State;

class BackendTest : public ::testing::Test {
 protected:
  void Start(Backend::Dispatch dispatch, Backend::Settings settings = {}) {
    backend_ = std::make_unique<Backend>(settings, std::move(dispatch));
    const auto path = backend_->Start();
    ASSERT_TRUE(path.ok()) << path.status();
    path_ = *path;
  }

  std::unique_ptr<Backend> backend_;
  std::string path_;
};

TEST_F(BackendTest, ARequestArrivesWholeAndItsAnswerGoesOut) {
  std::promise<transcode::Request> arrived;
  Start([&](const transcode::Request& request) {
    arrived.set_value(request);
    return transcode::Response{201, {{"Content-Type", "application/json"}, {"X-A", "1"}}, "{}", {}};
  });
  Connection connection(path_);
  connection.Send(
      "POST /a%2Fb?c=%20d HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nX-B: 100%25\r\n"
      "krypton-ops-peer: 10.0.0.7\r\nkrypton-ops-content-type: multipart/form-data; boundary=z\r\n"
      "krypton-ops-accept-encoding: gzip\r\n\r\nbody");
  const std::string answer = connection.ReadAll();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 201 ")) << answer;
  EXPECT_NE(answer.find("Content-Length: 2\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("X-A: 1\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n{}")) << answer;
  const transcode::Request seen = arrived.get_future().get();
  EXPECT_EQ(seen.target, "/a%2Fb?c=%20d");
  EXPECT_EQ(seen.body, "body");
  EXPECT_EQ(seen.peer, "10.0.0.7");
  EXPECT_EQ(HeaderOf(seen, "x-b"), "100%");
  EXPECT_EQ(HeaderOf(seen, "content-type"), "multipart/form-data; boundary=z");
  EXPECT_EQ(HeaderOf(seen, "accept-encoding"), "gzip");
  EXPECT_EQ(HeaderOf(seen, "krypton-ops-peer"), "");
}

TEST_F(BackendTest, NothingIsLeftInTheFileSystem) {
  Start([](const transcode::Request&) { return transcode::Response(); });
  const char* tmp = getenv("TMPDIR");
  for (const auto& entry : std::filesystem::directory_iterator(tmp != nullptr ? tmp : "/tmp")) {
    EXPECT_FALSE(entry.path().filename().string().starts_with("krypton-ops.")) << entry.path();
  }
}

TEST_F(BackendTest, AStreamIsChunkedAndItsTrailersFollow) {
  Start([](const transcode::Request&) {
    std::vector<transcode::BodyStream::Piece> pieces = {
        {State::kData, "one\n", {}},
        {State::kWaiting, "", {}},
        {State::kData, "two\n", {}},
        {State::kEnd, "", {{"Grpc-Trailer-A", "b"}}}};
    return transcode::Response{
        200,
        {{"Content-Type", "application/json"}, {"Trailer", "Grpc-Trailer-A"}},
        "",
        FakeStream(std::move(pieces))};
  });
  Connection connection(path_);
  connection.Send("GET /v1/agents:watch HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = connection.ReadAll();
  EXPECT_NE(answer.find("Transfer-Encoding: chunked\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(
      answer.ends_with("\r\n\r\n4\r\none\n\r\n4\r\ntwo\n\r\n0\r\nGrpc-Trailer-A: b\r\n\r\n"))
      << answer;
}

TEST_F(BackendTest, AClientThatGoesEndsItsStream) {
  auto destroyed = std::make_shared<std::promise<void>>();
  Start([&](const transcode::Request&) {
    return transcode::Response{200,
                               {{"Content-Type", "application/json"}},
                               "",
                               FakeStream({{State::kData, "one\n", {}}}, destroyed)};
  });
  Connection connection(path_);
  connection.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  connection.ReadUntil("one");
  connection.Close();
  EXPECT_EQ(destroyed->get_future().wait_for(10s), std::future_status::ready);
}

TEST_F(BackendTest, StreamsLeaveThreadsForOthers) {
  Start(
      [](const transcode::Request& request) {
        if (request.target != "/stream") {
          return transcode::Response{200, {{"Content-Type", "text/plain"}}, "ok", nullptr};
        }
        return transcode::Response{200,
                                   {{"Content-Type", "application/json"}},
                                   "",
                                   FakeStream({{State::kData, "one\n", {}}})};
      },
      {.threads = 3, .max_streams = 2, .max_body_bytes = 1024});
  std::vector<std::unique_ptr<Connection>> streams;
  for (int i = 0; i < 2; ++i) {
    streams.push_back(std::make_unique<Connection>(path_));
    streams.back()->Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(streams.back()->ReadUntil("one").find("one"), std::string::npos);
  }
  Connection refused(path_);
  refused.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(refused.ReadAll().starts_with("HTTP/1.1 503"));
  Connection other(path_);
  other.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(other.ReadAll().ends_with("ok"));
}

TEST_F(BackendTest, AnExceptionIsAFailureWithoutItsText) {
  Start(
      [](const transcode::Request&) -> transcode::Response { throw std::runtime_error("secret"); });
  Connection connection(path_);
  connection.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = connection.ReadAll();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 500")) << answer;
  EXPECT_EQ(answer.find("secret"), std::string::npos) << answer;
}

}  // namespace
}  // namespace krypton::ops
