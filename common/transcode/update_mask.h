#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/transcode/json_value.h"

namespace google::protobuf {
class Descriptor;
}

namespace krypton::transcode {

// The paths of all that `json` sets in a message of type `type`, sorted: what a PATCH without an
// update mask means to change (AIP-134; grpc-gateway v2.33.0, runtime/fieldmask.go). Lists and maps
// are named as a whole. INVALID_ARGUMENT for a name that no field has.
absl::StatusOr<std::vector<std::string>> UpdateMaskOf(const JsonValue& json,
                                                      const google::protobuf::Descriptor& type);

}  // namespace krypton::transcode
