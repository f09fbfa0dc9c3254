// One call of the API, with all that is the same for each: the rate limit, the token, attempts and
// the waits between them, and the count. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "manager/platform/kubernetes/client/client.h"

namespace krypton::kube {

struct Call {
  std::string method;
  std::string target;  // without the configured prefix
  std::string content_type;
  std::string body;
  std::string what;  // for messages: `get pods "default/echo"`
  // To send it twice does no harm.
  bool repeatable = true;
  // Must pass the write gate.
  bool write = false;
  std::chrono::milliseconds read_timeout{0};  // 0: the client's
  std::stop_token stop;
  std::function<bool(std::string_view piece)> receive;
};

class Caller {
 public:
  Caller(const Config& config, ClientSettings settings, prometheus::Registry& metrics);
  ~Caller();

  // The body of a 2xx; or what went wrong.
  absl::StatusOr<std::string> Do(const Call& call);
  void Shutdown();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::kube
