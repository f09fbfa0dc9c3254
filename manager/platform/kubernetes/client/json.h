// Reading JSON that a server sent: nothing is there for sure, and nothing throws. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "boost/json/fwd.hpp"

namespace krypton::kube {

// kInvalidArgument when it is no JSON, or nested deeper than 256.
absl::StatusOr<boost::json::value> ParseJson(std::string_view text);

// What stands under `key`, when it is of that type; null, "" and 0 otherwise. What is returned
// lives as long as `object`.
const boost::json::object* ObjectAt(const boost::json::object& object, std::string_view key);
const boost::json::array* ArrayAt(const boost::json::object& object, std::string_view key);
std::string_view StringAt(const boost::json::object& object, std::string_view key);
int64_t IntAt(const boost::json::object& object, std::string_view key);
bool BoolAt(const boost::json::object& object, std::string_view key);

// Of `metadata`.
std::string_view MetadataAt(const boost::json::object& object, std::string_view key);

}  // namespace krypton::kube
