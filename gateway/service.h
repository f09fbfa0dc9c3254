// GatewayService: calls by gRPC, and what the gateway knows of its routes. Its methods run on
// gRPC's threads and block none.
#pragma once

#include <memory>

#include "gateway/route_table.h"

namespace grpc {
class Service;
}

namespace krypton::http {
class Server;
class Workers;
}  // namespace krypton::http

namespace krypton::gateway {

class Service {
 public:
  // Calls go to `traffic`, on its workers in turn. All outlive it, and it outlives the gRPC server
  // that carries it.
  Service(const RouteTable& routes, http::Server& traffic, http::Workers& workers);
  ~Service();

  grpc::Service* grpc_service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::gateway
