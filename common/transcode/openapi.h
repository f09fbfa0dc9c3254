#pragma once

#include <string>

#include "common/transcode/route_table.h"

namespace krypton::transcode {

// The OpenAPI 3.0 document of all routes, as JSON.
std::string BuildOpenApi(const RouteTable& table, const std::string& title,
                         const std::string& version);

}  // namespace krypton::transcode
