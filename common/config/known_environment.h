// The variables that begin with KRYPTON_ and that some part of Krypton reads. One environment often
// serves several binaries (a pod, `krypton up`), so a binary refuses only what none of them knows.
#pragma once

#include <string_view>

namespace krypton::config {

// True for a flag of any binary, for what ./dev and the tests set, and for what Kubernetes injects
// for a Service whose name begins with krypton- (KRYPTON_GATEWAY_SERVICE_HOST,
// KRYPTON_GATEWAY_PORT_8080_TCP, ...).
bool IsKnownEnvironment(std::string_view variable);

}  // namespace krypton::config
