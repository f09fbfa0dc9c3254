// Who proves that a reporter is what it claims to be. On one machine nobody: whoever reaches the
// port may report. In a cluster manager/platform/kubernetes/proof.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "krypton/v1/resource.pb.h"
#include "krypton/v1/scaling.pb.h"

namespace krypton::manager {

// What a reporter says in its first report, and what it shows for it.
struct ReporterClaim {
  v1::ReporterKind kind = v1::REPORTER_KIND_UNSPECIFIED;
  std::string instance;
  v1::ResourceKey key;                  // a sidecar's: whose replica it stands before
  std::string token;                    // of `authorization: Bearer`; empty: none
  std::vector<std::string> peer_names;  // of its certificate (rpc::PeerNames)
};

class ReporterAuthenticator {
 public:
  // OK: believed. UNAUTHENTICATED: no proof, or a wrong one. PERMISSION_DENIED: it proves to be
  // somebody else. UNAVAILABLE: cannot be told now, come again.
  using Done = std::function<void(absl::Status verdict)>;

  virtual ~ReporterAuthenticator() = default;
  // Returns at once. Calls `done` once, before it returns or on a thread of its own, within a few
  // seconds; also when it is being stopped.
  virtual void Authenticate(ReporterClaim claim, Done done) = 0;
};

}  // namespace krypton::manager
