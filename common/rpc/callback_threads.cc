#include "common/rpc/callback_threads.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

namespace krypton::rpc {

void KeepCallbackThreads() {
  // A server of callbacks without a port, never destroyed, which is what holds the threads.
  [[maybe_unused]] static const grpc::Server* const kept = [] {
    grpc::ServerBuilder builder;
    builder.RegisterCallbackGenericService(new grpc::CallbackGenericService);
    return builder.BuildAndStart().release();
  }();
}

}  // namespace krypton::rpc
