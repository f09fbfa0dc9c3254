// LoadService: one bidirectional stream for each sidecar and gateway. Each report is checked, given
// to the listeners and acknowledged; the next one is read only then, so a stream never holds more
// than one. A stream that is silent for longer than two heartbeats and a half is ended. Where
// another manager leads, each acknowledgement says where. With an authenticator, nothing of a
// stream reaches the listeners before its reporter is proven, and it speaks of that one resource to
// its end.
//
// The listeners, the leadership and the authenticator outlive the service. Shutdown ends all
// streams; the gRPC server is shut down after it, and the service destroyed after the server.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "krypton/v1/scaling.grpc.pb.h"
#include "manager/clock.h"
#include "manager/leadership.h"
#include "manager/load/load_listener.h"
#include "manager/load/reporter_authenticator.h"

namespace prometheus {
class Registry;
}

namespace krypton::manager {

struct LoadSettings {
  // Reporters send a heartbeat each 10 s (scaling.proto).
  std::chrono::milliseconds silent_after{25'000};
  // Streams at once; further ones are refused as RESOURCE_EXHAUSTED.
  int max_streams = 100'000;
  // Null: whoever reports is believed.
  ReporterAuthenticator* authenticator = nullptr;
};

// What a report must keep to; INVALID_ARGUMENT says what it broke.
absl::Status CheckReport(const LoadSource& source, const v1::ReportRequest& report,
                         uint64_t expected_sequence);

class LoadServiceImpl : public v1::LoadService::CallbackService {
 public:
  LoadServiceImpl(LoadSettings settings, Clock clock, const Leadership& leadership,
                  std::vector<LoadListener*> listeners, prometheus::Registry& metrics);
  ~LoadServiceImpl() override;

  grpc::ServerBidiReactor<v1::ReportRequest, v1::ReportResponse>* Report(
      grpc::CallbackServerContext* context) override;

  // Ends the streams that are silent for too long; the manager calls it each second.
  void EndSilentStreams();
  // Ends all streams, so that every reporter comes back, is told where the leader is, and says all
  // that it knows: after each change of the leadership.
  void EndStreams();
  void Shutdown();

 private:
  class Stream;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace krypton::manager
