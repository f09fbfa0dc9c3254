// Sends what gRPC itself has to say through our log, so that each line of stderr is one event.
// Called by Server and Connect. Any thread.
#pragma once

namespace krypton::rpc {

void RedirectGrpcLog();

}  // namespace krypton::rpc
