#include "common/transcode/http_status.h"

#include <array>

namespace krypton::transcode {

int HttpStatusOf(int grpc_code) {
  static constexpr std::array<int, 17> kStatus = {
      200,  // OK
      499,  // CANCELLED
      500,  // UNKNOWN
      400,  // INVALID_ARGUMENT
      504,  // DEADLINE_EXCEEDED
      404,  // NOT_FOUND
      409,  // ALREADY_EXISTS
      403,  // PERMISSION_DENIED
      429,  // RESOURCE_EXHAUSTED
      400,  // FAILED_PRECONDITION: not 412, which speaks of the request's own conditions
      409,  // ABORTED
      400,  // OUT_OF_RANGE
      501,  // UNIMPLEMENTED
      500,  // INTERNAL
      503,  // UNAVAILABLE
      500,  // DATA_LOSS
      401,  // UNAUTHENTICATED
  };
  if (grpc_code < 0 || grpc_code >= static_cast<int>(kStatus.size())) return 500;
  return kStatus[grpc_code];
}

}  // namespace krypton::transcode
