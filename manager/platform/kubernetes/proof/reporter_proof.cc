#include "manager/platform/kubernetes/proof/reporter_proof.h"

#include <algorithm>
#include <utility>

#include "common/resource/key.h"

namespace krypton::kube {
namespace {

absl::Status Forbidden(absl::string_view why) { return absl::PermissionDeniedError(why); }

}  // namespace

ReporterProof::ReporterProof(TokenReviewer& reviewer, std::vector<std::string> gateway_names,
                             FindPod find_pod)
    : reviewer_(reviewer),
      gateway_names_(std::move(gateway_names)),
      find_pod_(std::move(find_pod)) {}

void ReporterProof::Authenticate(manager::ReporterClaim claim, Done done) {
  if (claim.kind == v1::REPORTER_KIND_GATEWAY) {
    const absl::Status verdict = JudgeGateway(claim);
    if (!verdict.ok()) Say(claim, verdict, gateways_);
    return done(verdict);
  }
  if (claim.kind != v1::REPORTER_KIND_SIDECAR)
    return done(Forbidden("neither sidecar nor gateway"));
  const std::string token = std::move(claim.token);
  reviewer_.Review(token, [this, claim = std::move(claim),
                           done = std::move(done)](const absl::StatusOr<TokenIdentity>& identity) {
    const absl::Status verdict = identity.ok() ? JudgeSidecar(claim, *identity) : identity.status();
    if (!verdict.ok() && !absl::IsUnavailable(verdict)) {
      Say(claim, verdict, absl::IsUnauthenticated(verdict) ? unauthenticated_ : forbidden_);
    }
    done(verdict);
  });
}

void ReporterProof::Say(const manager::ReporterClaim& claim, const absl::Status& verdict,
                        Saying& saying) {
  if (!saying.limiter.Allow()) {
    ++saying.unsaid;
    return;
  }
  const bool gateway = claim.kind == v1::REPORTER_KIND_GATEWAY;
  log::Warn("a load reporter was refused",
            {{"instance", claim.instance},
             {"claims", gateway ? "gateway" : resource::ToString(claim.key)},
             {"why", verdict},
             {"unsaid before", saying.unsaid.exchange(0)}});
}

absl::Status ReporterProof::JudgeGateway(const manager::ReporterClaim& claim) const {
  const bool named =
      std::any_of(gateway_names_.begin(), gateway_names_.end(), [&](const std::string& name) {
        return std::find(claim.peer_names.begin(), claim.peer_names.end(), name) !=
               claim.peer_names.end();
      });
  if (named) return absl::OkStatus();
  return Forbidden("the certificate is not a gateway's");
}

absl::Status ReporterProof::JudgeSidecar(const manager::ReporterClaim& claim,
                                         const TokenIdentity& identity) const {
  if (identity.pod_uid != claim.instance) return Forbidden("the token is another pod's");
  const std::optional<KnownPod> pod = find_pod_(identity.pod_uid);
  // It may have been made a moment ago, or be gone.
  if (!pod.has_value()) return absl::UnavailableError("the pod is not known (yet)");
  if (pod->name != identity.pod_name || pod->name_space != identity.name_space) {
    return Forbidden("the token names another pod than the one with that uid");
  }
  if (!resource::KeyEqual()(pod->key, claim.key)) {
    return Forbidden("the pod is not one of that agent or model");
  }
  return absl::OkStatus();
}

}  // namespace krypton::kube
