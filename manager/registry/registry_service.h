// RegistryService over a RegistryStore: each Watch stream is a cursor that writes the next message
// whenever the last one has left and something lies behind it. A cursor that has expired ends its
// stream with OUT_OF_RANGE.
//
// The store outlives the service. Shutdown ends all streams; the gRPC server is shut down after it,
// and the service destroyed after the server.
#pragma once

#include <memory>

#include "krypton/v1/registry.grpc.pb.h"
#include "manager/registry/store.h"

namespace prometheus {
class Registry;
}

namespace krypton::manager {

struct RegistryServiceSettings {
  // Streams at once; further ones are refused as RESOURCE_EXHAUSTED.
  size_t max_watchers = 1'000;
  // Of one request.
  int max_keys = 1'000;
};

class RegistryServiceImpl : public v1::RegistryService::CallbackService {
 public:
  RegistryServiceImpl(RegistryServiceSettings settings, RegistryStore& store,
                      prometheus::Registry& metrics);
  ~RegistryServiceImpl() override;

  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext* context,
                                                     const v1::WatchRequest* request) override;
  grpc::ServerUnaryReactor* GetRegistry(grpc::CallbackServerContext* context,
                                        const v1::GetRegistryRequest* request,
                                        v1::GetRegistryResponse* response) override;

  // Brings version, watchers and lag up to date; the manager calls it each second.
  void UpdateMetrics();
  void Shutdown();

 private:
  class Watcher;
  struct State;

  grpc::Status Check(const v1::WatchRequest& request) const;

  const RegistryServiceSettings settings_;
  RegistryStore& store_;
  std::shared_ptr<State> state_;
};

}  // namespace krypton::manager
