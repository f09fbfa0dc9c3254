#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/transcode/json_value.h"
#include "common/transcode/route_table.h"

namespace google::protobuf {
class Message;
}

// Query parameters and path variables → fields (grpc-gateway v2.33.0, runtime/query.go).
namespace krypton::transcode {

// A key with all its values, in the order of the query.
struct QueryParameter {
  std::string key;
  std::vector<std::string> values;
};

// `a=1&b=2&a=3`, decoded. INVALID_ARGUMENT for a semicolon or a bad percent sign.
absl::StatusOr<std::vector<QueryParameter>> ParseQuery(absl::string_view query);

// Sets what the parameters name; the route's body field and path variables, what is above or below
// them, and unknown names are ignored.
absl::Status SetFromQuery(const std::vector<QueryParameter>& parameters, const Route& route,
                          const JsonLimits& limits, google::protobuf::Message& request);

// Sets the field of one path variable.
absl::Status SetFromPath(const FieldPath& path, const std::string& value, const JsonLimits& limits,
                         google::protobuf::Message& request);

}  // namespace krypton::transcode
