#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/transcode/json_value.h"
#include "common/transcode/route_table.h"

namespace krypton::transcode {

// HTTP request → the serialized messages of the RPC: one, but for a client stream, whose body is
// JSON values one behind the other. The body comes first, then the path's variables, then the
// query, each over what is there. INVALID_ARGUMENT says what cannot be read.
absl::StatusOr<std::vector<std::string>> BuildRequests(const RouteTable::Found& found,
                                                       absl::string_view query,
                                                       absl::string_view body,
                                                       const JsonLimits& limits);

}  // namespace krypton::transcode
