#pragma once

#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/transcode/path_template.h"

namespace google::api {
class HttpRule;
}
namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
class Message;
class MethodDescriptor;
}  // namespace google::protobuf

namespace krypton::transcode {

// Fields from the root of a message down; never empty.
using FieldPath = std::vector<const google::protobuf::FieldDescriptor*>;

// One binding of one RPC to a method and a path: all that an annotation says, checked.
struct Route {
  enum class Body { kNone, kAll, kField };

  const google::protobuf::MethodDescriptor* method;
  // Prototypes of both messages, for New().
  const google::protobuf::Message* request_type;
  const google::protobuf::Message* response_type;
  // `/krypton.v1.ControlPlaneService/ListAgents`.
  std::string rpc_path;
  // `list_agents`.
  std::string name;
  std::string http_method;
  PathTemplate path;
  // One for each of path.variables().
  std::vector<FieldPath> variables = {};
  Body body = Body::kNone;
  // With Body::kField.
  const google::protobuf::FieldDescriptor* body_field = nullptr;
  // The part of the response that is the answer; null: all.
  const google::protobuf::FieldDescriptor* response_field = nullptr;
  // Where a PATCH without a mask gets the paths of its body; null: nowhere.
  const google::protobuf::FieldDescriptor* update_mask = nullptr;
  // Whether any field is left for the query to set.
  bool takes_query = false;
};

// All routes, searched as grpc-gateway does: the one that was registered last first. Immutable.
class RouteTable {
 public:
  struct Found {
    const Route* route;
    std::vector<std::string> values;
  };
  struct NotFound {};
  struct OtherMethod {};

  // `read_only`: without the routes whose method is not GET. NOT_FOUND for a service that is not
  // linked in, INVALID_ARGUMENT for a wrong annotation.
  static absl::StatusOr<RouteTable> Build(const std::vector<std::string>& services,
                                          bool read_only = false);

  // `path`: see PathTemplate::Match.
  std::variant<Found, NotFound, OtherMethod> Find(absl::string_view http_method,
                                                  const std::vector<absl::string_view>& path) const;

  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

// `ListAgents` → `list_agents`, `GetURL` → `get_url`.
std::string SnakeCaseName(absl::string_view name);

}  // namespace krypton::transcode
