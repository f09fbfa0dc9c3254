#include "common/rpc/callback_threads.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>

namespace krypton::rpc {
namespace {

// A server of callbacks without a port, which is what holds the threads.
struct Kept {
  grpc::CallbackGenericService service;
  std::unique_ptr<grpc::Server> server;
};

// Never destroyed; here, and not in the function, so that LeakSanitizer finds it.
Kept* g_kept = nullptr;

}  // namespace

void KeepCallbackThreads() {
  [[maybe_unused]] static const bool once = [] {
    g_kept = new Kept;
    grpc::ServerBuilder builder;
    builder.RegisterCallbackGenericService(&g_kept->service);
    g_kept->server = builder.BuildAndStart();
    return true;
  }();
}

}  // namespace krypton::rpc
