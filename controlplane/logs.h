// ReadAgentLogs: passes the manager's stream on, one message at a time, so that a slow client slows
// the manager and nothing piles up here.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>

#include "controlplane/leader.h"
#include "controlplane/streams.h"
#include "krypton/v1/control_plane.pb.h"

namespace krypton::controlplane {

using LogsDone = std::function<void(const grpc::Status&)>;

// Starts to read from the manager and returns the reactor of the call. `done` is called at the end,
// when `streams` is not needed any more.
grpc::ServerWriteReactor<v1::ReadAgentLogsResponse>* PassLogs(Leader::Stub manager,
                                                              Streams& streams,
                                                              v1::ReadLogsRequest request,
                                                              LogsDone done);

}  // namespace krypton::controlplane
