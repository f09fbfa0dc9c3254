#include "common/rpc/grpc_log.h"

#include <grpc/support/log.h>

#include <mutex>
#include <string>

#include "common/log/log.h"

namespace krypton::rpc {
namespace {

void OnGrpcLog(gpr_log_func_args* args) {
  // A peer that fails its handshake again and again must not fill the log.
  static log::Limiter limiter(std::chrono::seconds(1));
  const std::string where = std::string(args->file) + ":" + std::to_string(args->line);
  if (args->severity == GPR_LOG_SEVERITY_ERROR && limiter.Allow()) {
    log::Warn("gRPC", {{"message", args->message}, {"where", where}});
  } else {
    log::Debug("gRPC", {{"message", args->message}, {"where", where}});
  }
}

}  // namespace

void RedirectGrpcLog() {
  static std::once_flag once;
  std::call_once(once, [] { gpr_set_log_function(OnGrpcLog); });
}

}  // namespace krypton::rpc
