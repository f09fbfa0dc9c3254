// LoadReport turns what the Limiter and the Replica count into the ReplicaLoad that load::Reporter
// sends, and says nothing when nothing has changed. Belongs to the Reporter's thread.
#pragma once

#include <optional>
#include <string>
#include <tuple>

#include "common/load/reporter.h"
#include "krypton/v1/scaling.pb.h"
#include "proxy/limiter.h"
#include "proxy/replica.h"

namespace krypton::proxy {

class LoadReport {
 public:
  // Who the replica is, and on which port the sidecar takes its traffic.
  struct Identity {
    v1::ResourceKey key;
    std::string instance;
    int port = 0;
  };

  // Borrows both.
  LoadReport(Identity identity, Limiter& limiter, const Replica& replica);

  v1::ReportRequest Collect(load::Scope scope);

 private:
  // All that a report says but for the means: equal ones need no second report.
  using State =
      std::tuple<v1::EndpointState, int, int, int, std::uint64_t, std::optional<Replica::Time>>;

  const Identity identity_;
  Limiter& limiter_;
  const Replica& replica_;
  std::optional<State> said_;
  // The means that were said equal the numbers of that moment.
  bool settled_ = false;
};

}  // namespace krypton::proxy
