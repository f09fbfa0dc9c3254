#include "manager/platform/kubernetes/client/testing/fake_api_server.h"

#include <httplib.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/pem/pem.h"

namespace krypton::kube {
namespace {

rpc::TestCertificate MakeAuthority() {
  return rpc::MakeTestCertificate({.common_name = "kubernetes", .authority = true});
}

FakeRequest ToFake(const httplib::Request& request) {
  FakeRequest fake;
  fake.method = request.method;
  fake.path = request.path;
  for (const auto& [key, value] : request.params) fake.query[key] = value;
  for (const auto& [key, value] : request.headers) {
    fake.headers[absl::AsciiStrToLower(key)] = value;
  }
  fake.body = request.body;
  return fake;
}

}  // namespace

class FakeApiServer::Impl {
 public:
  explicit Impl(Handler handler)
      : handler_(std::move(handler)),
        authority_(MakeAuthority()),
        own_(rpc::MakeTestCertificate({.common_name = "kube-apiserver"}, &authority_)),
        certificate_(std::move(pem::ParseCertificates(own_.cert).at(0))),
        key_(pem::ParseKey(own_.key)),
        server_(certificate_.get(), key_.get()) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(32); };
    const auto answer = [this](const httplib::Request& request, httplib::Response& response) {
      Answer(request, response);
    };
    server_.Get(".*", answer);
    server_.Post(".*", answer);
    server_.Put(".*", answer);
    server_.Patch(".*", answer);
    server_.Delete(".*", answer);
    server_.set_keep_alive_max_count(1'000'000);
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    WaitFor([this] { return server_.is_running(); });
  }

  ~Impl() {
    Release();
    server_.stop();
    thread_.join();
  }

  void Release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  int port() const { return port_; }
  const rpc::TestCertificate& authority() const { return authority_; }
  std::vector<FakeRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void Answer(const httplib::Request& request, httplib::Response& response) {
    FakeRequest fake = ToFake(request);
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(fake);
    }
    FakeReply reply = handler_(fake);
    response.status = reply.code;
    for (const auto& [key, value] : reply.headers) response.set_header(key, value);
    if (reply.pieces.empty() && reply.end == FakeReply::End::kInOrder) {
      response.set_content(reply.body, "application/json");
      return;
    }
    response.set_chunked_content_provider("application/json",
                                          [this, reply = std::move(reply), next = size_t{0}](
                                              size_t, httplib::DataSink& sink) mutable {
                                            if (next < reply.pieces.size()) {
                                              const std::string& piece = reply.pieces[next++];
                                              return sink.write(piece.data(), piece.size());
                                            }
                                            if (reply.end == FakeReply::End::kCut) return false;
                                            if (reply.end == FakeReply::End::kHold) Hold();
                                            sink.done();
                                            return true;
                                          });
  }
  void Hold() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return released_; });
  }

  const Handler handler_;
  const rpc::TestCertificate authority_;
  const rpc::TestCertificate own_;
  const pem::Certificate certificate_;
  const pem::Key key_;
  httplib::SSLServer server_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool released_ = false;
  std::vector<FakeRequest> requests_;
  std::thread thread_;
};

FakeApiServer::FakeApiServer(Handler handler) : impl_(std::make_unique<Impl>(std::move(handler))) {}
FakeApiServer::~FakeApiServer() = default;

Config FakeApiServer::config() const {
  Config config;
  config.host = "127.0.0.1";
  config.port = impl_->port();
  config.ca.data = impl_->authority().cert;
  return config;
}
std::vector<FakeRequest> FakeApiServer::requests() const { return impl_->requests(); }
void FakeApiServer::Release() { impl_->Release(); }
const rpc::TestCertificate& FakeApiServer::authority() const { return impl_->authority(); }

FakeReply Refusal(int code, const std::string& reason, const std::string& message) {
  FakeReply reply;
  reply.code = code;
  reply.body = absl::StrCat(R"({"kind":"Status","status":"Failure","message":")", message,
                            R"(","reason":")", reason, R"(","code":)", code, "}");
  return reply;
}

std::string ObjectText(const std::string& name, int version) {
  return absl::StrCat(R"({"metadata":{"namespace":"default","name":")", name,
                      R"(","resourceVersion":")", version, R"("}})");
}

std::string EventLine(const std::string& type, const std::string& name, int version) {
  return absl::StrCat(R"({"type":")", type, R"(","object":)", ObjectText(name, version), "}\n");
}

FakeReply ListReply(int version, const std::vector<std::string>& objects, const std::string& next) {
  FakeReply reply;
  reply.body =
      absl::StrCat(R"({"kind":"List","metadata":{"resourceVersion":")", version,
                   R"(","continue":")", next, R"("},"items":[)", absl::StrJoin(objects, ","), "]}");
  return reply;
}

}  // namespace krypton::kube
