#include "common/transcode/route_table.h"

#include <gtest/gtest.h>

#include <set>

#include "krypton/v1/control_plane.grpc.pb.h"
#include "krypton/v1/gateway.grpc.pb.h"
#include "krypton/v1/manager.grpc.pb.h"
#include "krypton/v1/registry.grpc.pb.h"

namespace krypton::transcode {
namespace {

// A reference links the protos in, as serving them does.
[[maybe_unused]] const void* const kLinked[] = {
    v1::ListAgentsRequest::descriptor(), v1::InvokeRequest::descriptor(),
    v1::WatchRequest::descriptor(), v1::ListDecisionsRequest::descriptor()};

// The services that share a port with REST; a route of one must not hide one of another.
const std::vector<std::vector<std::string>>& Ports() {
  static const auto* const kPorts = new std::vector<std::vector<std::string>>{
      {v1::ControlPlaneService::service_full_name()},
      {v1::GatewayService::service_full_name()},
      {v1::RegistryService::service_full_name(), v1::ManagerService::service_full_name()}};
  return *kPorts;
}

TEST(RouteTableTest, NoTwoTemplatesOfOneMethodOverlap) {
  for (const auto& services : Ports()) {
    const absl::StatusOr<RouteTable> table = RouteTable::Build(services);
    ASSERT_TRUE(table.ok()) << table.status();
    const std::vector<Route>& routes = table->routes();
    for (size_t i = 0; i < routes.size(); ++i) {
      for (size_t j = i + 1; j < routes.size(); ++j) {
        EXPECT_FALSE(routes[i].http_method == routes[j].http_method &&
                     routes[i].path.Overlaps(routes[j].path))
            << routes[i].path.text() << " and " << routes[j].path.text();
      }
    }
  }
}

TEST(RouteTableTest, EveryUnaryRpcAndServerStreamHasARoute) {
  for (const auto& services : Ports()) {
    const absl::StatusOr<RouteTable> table = RouteTable::Build(services);
    std::set<const google::protobuf::MethodDescriptor*> routed;
    for (const Route& route : table->routes()) routed.insert(route.method);
    for (const std::string& name : services) {
      const auto* service =
          google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
      for (int i = 0; i < service->method_count(); ++i) {
        EXPECT_TRUE(service->method(i)->client_streaming() || routed.count(service->method(i)) > 0)
            << service->method(i)->full_name();
      }
    }
  }
}

TEST(RouteTableTest, AnUnknownServiceIsNotFound) {
  EXPECT_EQ(RouteTable::Build({"no.Such"}).status().code(), absl::StatusCode::kNotFound);
}

TEST(RouteTableTest, RouteNamesAreSnakeCase) {
  EXPECT_EQ(SnakeCaseName("ListAgents"), "list_agents");
  EXPECT_EQ(SnakeCaseName("GetURL"), "get_url");
  EXPECT_EQ(SnakeCaseName("GetURLOf"), "get_url_of");
}

}  // namespace
}  // namespace krypton::transcode
