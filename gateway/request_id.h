// X-Request-Id: the client's when it is short and plain, else one of our own; sent to the agent and
// back to the client. A value of one request.
#pragma once

#include <array>
#include <string_view>

#include "common/http/message.h"

namespace krypton::gateway {

class RequestId {
 public:
  static constexpr std::string_view kField = "x-request-id";
  static constexpr size_t kMaxBytes = 128;

  // `request` outlives it.
  explicit RequestId(const http::Fields& request);
  RequestId(const RequestId&) = delete;
  RequestId& operator=(const RequestId&) = delete;

  std::string_view value() const { return value_; }

 private:
  std::array<char, 32> own_;
  std::string_view value_;
};

}  // namespace krypton::gateway
