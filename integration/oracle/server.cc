#include "integration/oracle/server.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <cstdlib>

#include "integration/oracle/service.h"

namespace krypton::oracle {

class Server::Impl {
 public:
  explicit Impl(const std::string& address) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) std::abort();
    bound = "127.0.0.1:" + std::to_string(port);
  }
  // RPCs that wait are cancelled.
  ~Impl() { server_->Shutdown(std::chrono::system_clock::now()); }

  Service service;
  std::string bound;

 private:
  std::unique_ptr<grpc::Server> server_;
};

Server::Server(const std::string& address) : impl_(std::make_unique<Impl>(address)) {}
Server::~Server() = default;

const std::string& Server::address() const { return impl_->bound; }

std::shared_ptr<grpc::Channel> Server::Connect() const {
  return grpc::CreateChannel(impl_->bound, grpc::InsecureChannelCredentials());
}

int Server::cancelled() const { return impl_->service.cancelled(); }
bool Server::WaitForCancelled(int count) const { return impl_->service.WaitForCancelled(count); }

}  // namespace krypton::oracle
