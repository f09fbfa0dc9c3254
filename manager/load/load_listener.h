// Who wants to know what the load reports say: the scaler (how much), and the controller (which
// replica is ready).
#pragma once

#include <cstdint>
#include <string>

#include "krypton/v1/scaling.pb.h"

namespace krypton::manager {

// One reporter on one stream.
struct LoadSource {
  v1::ReporterKind kind = v1::REPORTER_KIND_UNSPECIFIED;
  // A sidecar's is its replica's instance.
  std::string instance;
  // Grows with each stream; a reporter that comes back has a higher one.
  uint64_t stream = 0;
};

// Called by gRPC's threads: one call at a time for each stream, many streams at once. Must return
// at once.
class LoadListener {
 public:
  virtual ~LoadListener() = default;
  // Checked: the figures are finite and not negative, a sidecar speaks of its own instance only.
  // `first`: the report carries all that the source knows.
  virtual void OnLoad(const LoadSource& source, const v1::ReportRequest& report, bool first) = 0;
  // The stream is over, or silent for too long; the source may come back on another one.
  virtual void OnLoadStreamEnd(const LoadSource& source) = 0;
};

}  // namespace krypton::manager
