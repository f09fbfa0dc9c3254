// Who may report load in a cluster. A sidecar shows the token of its own pod: the pod's uid must be
// the instance that it claims, and the pod that we watch under that uid must be one of the agent or
// model that it claims. A gateway shows a certificate in the gateways' name, which no sidecar has.
//
// Who is refused is logged, one line a kind each ten seconds, which says how many there were
// besides.
//
// Any thread. The reviewer outlives it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/log/log.h"
#include "krypton/v1/resource.pb.h"
#include "manager/load/reporter_authenticator.h"
#include "manager/platform/kubernetes/proof/token_reviewer.h"

namespace krypton::kube {

// A pod of an agent or a model, as the pod watch knows it.
struct KnownPod {
  std::string name_space;
  std::string name;
  v1::ResourceKey key;
};

class ReporterProof : public manager::ReporterAuthenticator {
 public:
  // By uid; nullopt: no such pod. Any thread.
  using FindPod = std::function<std::optional<KnownPod>(const std::string& uid)>;

  // `gateway_names`: common or alternative names, of which a gateway's certificate has one.
  ReporterProof(TokenReviewer& reviewer, std::vector<std::string> gateway_names, FindPod find_pod);

  void Authenticate(manager::ReporterClaim claim, Done done) override;

 private:
  // What is said of one kind of refusal, so that one does not hide another.
  struct Saying {
    log::Limiter limiter{std::chrono::seconds(10)};
    std::atomic<uint64_t> unsaid = 0;
  };

  static void Say(const manager::ReporterClaim& claim, const absl::Status& verdict, Saying& saying);
  absl::Status JudgeGateway(const manager::ReporterClaim& claim) const;
  absl::Status JudgeSidecar(const manager::ReporterClaim& claim,
                            const TokenIdentity& identity) const;

  TokenReviewer& reviewer_;
  const std::vector<std::string> gateway_names_;
  const FindPod find_pod_;
  Saying gateways_;
  Saying forbidden_;
  Saying unauthenticated_;
};

}  // namespace krypton::kube
