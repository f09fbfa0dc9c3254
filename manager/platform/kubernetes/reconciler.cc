#include "manager/platform/kubernetes/reconciler.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "boost/json/parse.hpp"
#include "common/log/log.h"
#include "manager/platform/kubernetes/client/api_status.h"
#include "manager/platform/kubernetes/objects/children.h"
#include "manager/platform/kubernetes/objects/json.h"
#include "manager/platform/kubernetes/objects/names.h"
#include "manager/platform/kubernetes/objects/spec.h"
#include "manager/platform/kubernetes/pod_marks.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;
using Clock = std::chrono::system_clock;

// What was just written is not written again because the watch has not said it yet.
constexpr std::chrono::seconds kWatchLag{3};

// When a certificate is due to be renewed: when a third of its time is left.
struct Validity {
  int64_t issued = 0;
  int64_t expires = 0;

  std::chrono::seconds until_renewal() const {
    const int64_t due = expires - (expires - issued) / 3;
    return std::chrono::seconds(due - Clock::to_time_t(Clock::now()));
  }
};

// What it says in kCertificateAnnotation: the authority, the beginning and the end.
std::string CertificateText(const CertificateAuthority& authority, Clock::time_point expires) {
  return absl::StrCat(authority.fingerprint(), "/", Clock::to_time_t(Clock::now()), "/",
                      Clock::to_time_t(expires));
}

// Nothing: it says nothing, or is of another authority.
std::optional<Validity> ReadCertificateText(const std::string& text,
                                            const CertificateAuthority& authority) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  Validity validity;
  if (parts.size() != 3 || parts[0] != authority.fingerprint() ||
      !absl::SimpleAtoi(parts[1], &validity.issued) ||
      !absl::SimpleAtoi(parts[2], &validity.expires)) {
    return std::nullopt;
  }
  return validity;
}

void Seal(json::object* intent) {
  const std::string fingerprint = Fingerprint(*intent);
  json::value& annotations = (*intent)["metadata"].as_object()["annotations"];
  if (!annotations.is_object()) annotations = json::object();
  annotations.as_object()[kIntentAnnotation] = fingerprint;
}

absl::Status NotOurs(const GroupVersionResource& gvr, const std::string& name,
                     const absl::Status& conflict) {
  return absl::AlreadyExistsError(
      absl::StrCat(ToString(gvr), " \"", name,
                   "\" is there and belongs to somebody else: ", conflict.message()));
}

}  // namespace

// What was written for one resource, by this leader.
struct Reconciler::Memory {
  // By kind: an intent, and what the server made of it where the two differ ("1000m" becomes "1").
  struct Applied {
    std::string intent;
    std::string made;
    std::chrono::steady_clock::time_point at;
  };
  std::map<ChildKind, Applied> applied;
  // The sidecars' Secret, and the Deployment (as it was then) that does not name it yet.
  std::string secret_uid;
  std::string certificate;
  std::string written_for;
  // The Deployment's, as written last.
  std::optional<int> replicas;
};

// One call for one resource.
class Reconciler::Run {
 public:
  Run(Reconciler& reconciler, const v1::ResourceKey& key, ResourceView view, Memory& memory)
      : reconciler_(reconciler),
        client_(reconciler.client_),
        key_(key),
        view_(std::move(view)),
        resource_(*view_.resource),
        authority_(reconciler.authority_.Get()),
        memory_(memory) {}

  absl::Status All();
  // When the certificate is due, or the watch must have said what was written.
  std::chrono::nanoseconds again_after() const { return again_after_; }

 private:
  ObjectName Name(const std::string& name) const { return {key_.namespace_(), name}; }
  void AgainAfter(std::chrono::nanoseconds time) {
    again_after_ = again_after_.count() == 0 ? time : std::min(again_after_, time);
  }
  absl::Status CheckOwners() const;
  absl::StatusOr<bool> StillDeclared();
  absl::Status Account();
  absl::Status Secret();
  absl::Status Service();
  absl::Status Deployment();
  absl::Status SetMark(const PodInfo& pod, bool marked);
  absl::StatusOr<bool> Ensure(ChildKind kind, const GroupVersionResource& gvr, json::object intent,
                              const ChildPtr& live);
  bool InSync(ChildKind kind, const json::object& intent, const ChildInfo& live) const;
  absl::Status Remove(const GroupVersionResource& gvr, const ChildPtr& live);

  Reconciler& reconciler_;
  Client& client_;
  const v1::ResourceKey key_;
  const ResourceView view_;
  const resource::Resource& resource_;
  const std::shared_ptr<const CertificateAuthority> authority_;
  Memory& memory_;
  std::chrono::nanoseconds again_after_{};
};

absl::Status Reconciler::Run::All() {
  if (absl::Status status = CheckOwners(); !status.ok()) return status;
  const bool missing = view_.deployment == nullptr ||
                       (HasService(resource_) && view_.service == nullptr) ||
                       (HasOwnAccount(resource_) && view_.account == nullptr);
  if (missing) {
    const absl::StatusOr<bool> declared = StillDeclared();
    if (!declared.ok()) return declared.status();
    if (!*declared) return absl::OkStatus();  // The watch will say so.
  }
  if (absl::Status status = Account(); !status.ok()) return status;
  if (absl::Status status = Secret(); !status.ok()) return status;
  if (absl::Status status = Deployment(); !status.ok()) return status;
  return Service();
}

// A child that has another owner is left alone: it goes with an earlier resource of this name, or
// belongs to one of the other kind.
absl::Status Reconciler::Run::CheckOwners() const {
  for (const ChildPtr& child : {view_.deployment, view_.service, view_.account}) {
    if (child == nullptr) continue;
    if (!child->owner_uid.empty() && child->owner_uid != view_.declared->uid) {
      return absl::UnavailableError(
          absl::StrCat(child->name, " belongs to another owner, who has not gone yet"));
    }
    if (child->deleting) {
      return absl::UnavailableError(absl::StrCat(child->name, " is being deleted"));
    }
  }
  return absl::OkStatus();
}

// Asked before anything is made, since the watch of the children may be ahead of that of their
// owners: what was just deleted with its owner must not come back.
absl::StatusOr<bool> Reconciler::Run::StillDeclared() {
  const auto live = client_.Get(CustomResource(key_.kind()), Name(key_.name()));
  if (absl::IsNotFound(live.status())) return false;
  if (!live.ok()) return live.status();
  const json::object* object = live->if_object();
  return object != nullptr && FindString(*object, {"metadata", "uid"}) == view_.declared->uid &&
         Find(*object, {"metadata", "deletionTimestamp"}) == nullptr;
}

bool Reconciler::Run::InSync(ChildKind kind, const json::object& intent,
                             const ChildInfo& live) const {
  json::error_code error;
  const json::value found = json::parse(live.live, error);
  if (error) return false;
  const json::value projected = Project(intent, found);
  if (projected == json::value(intent)) return true;
  const auto applied = memory_.applied.find(kind);
  return applied != memory_.applied.end() && applied->second.intent == Fingerprint(intent) &&
         applied->second.made == Fingerprint(projected);
}

// True: it was written. What is not known to be ours is not taken from whoever has it.
absl::StatusOr<bool> Reconciler::Run::Ensure(ChildKind kind, const GroupVersionResource& gvr,
                                             json::object intent, const ChildPtr& live) {
  Seal(&intent);
  if (live != nullptr && InSync(kind, intent, *live)) return false;
  const std::string fingerprint = Fingerprint(intent);
  const auto applied = memory_.applied.find(kind);
  const bool made_before = applied != memory_.applied.end();
  const auto now = std::chrono::steady_clock::now();
  const bool as_before = made_before && applied->second.intent == fingerprint;
  if (as_before && now - applied->second.at < kWatchLag) {
    AgainAfter(kWatchLag);
    return false;
  }
  const std::string name = FindString(intent, {"metadata", "name"});
  WriteOptions options;
  options.force = live != nullptr || made_before;
  auto answer = client_.Apply(gvr, Name(name), intent, options);
  if (IsInvalid(answer.status()) && kind == ChildKind::kService && live != nullptr) {
    // Ports are told apart by their number, so a port with another number is beside ours, with the
    // same name: the list is put in place as a whole.
    const json::object ports{{"spec", json::object{{"ports", *Find(intent, {"spec", "ports"})}}}};
    (void)client_.Patch(gvr, Name(name), PatchType::kMerge, ports);
    answer = client_.Apply(gvr, Name(name), intent, options);
  }
  if (IsConflict(answer.status()) && !options.force) {
    return NotOurs(gvr, name, answer.status());
  }
  if (!answer.ok()) return answer.status();
  if (as_before) {
    reconciler_.announcer_.Restored(*view_.declared, absl::StrCat(ToString(gvr), "/", name),
                                    live == nullptr);
  }
  memory_.applied[kind] = {fingerprint, Fingerprint(Project(intent, *answer)), now};
  return true;
}

absl::Status Reconciler::Run::Remove(const GroupVersionResource& gvr, const ChildPtr& live) {
  if (live == nullptr) return absl::OkStatus();
  DeleteOptions options;
  options.uid = live->uid;
  const absl::Status status = client_.Delete(gvr, Name(live->name), options);
  return absl::IsNotFound(status) || IsConflict(status) ? absl::OkStatus() : status;
}

// Made, not applied: an account of this name that somebody has made before is used as it is.
absl::Status Reconciler::Run::Account() {
  if (!HasOwnAccount(resource_)) return Remove(ServiceAccounts(), view_.account);
  json::object intent = ServiceAccountFor(resource_);
  if (view_.account != nullptr) {
    return Ensure(ChildKind::kAccount, ServiceAccounts(), std::move(intent), view_.account)
        .status();
  }
  Seal(&intent);
  const auto made = client_.Create(ServiceAccounts(), key_.namespace_(), intent);
  return absl::IsAlreadyExists(made.status()) ? absl::OkStatus() : made.status();
}

// It cannot be read, so the Deployment says what is known of it: its uid as an owner, which goes
// when it is deleted, and how long its certificate counts.
absl::Status Reconciler::Run::Secret() {
  const ChildPtr& deployment = view_.deployment;
  if (deployment != nullptr && !deployment->secret_uid.empty()) {
    memory_.secret_uid = deployment->secret_uid;
    memory_.certificate = deployment->certificate;
  } else {
    const std::string now_for =
        deployment == nullptr ? "" : Fingerprint(json::value(json::string(deployment->live)));
    if (memory_.written_for != now_for) memory_.secret_uid.clear();
    memory_.written_for = now_for;
  }
  const auto validity = ReadCertificateText(memory_.certificate, *authority_);
  if (!memory_.secret_uid.empty() && validity.has_value() &&
      validity->until_renewal().count() > 0) {
    AgainAfter(validity->until_renewal() + std::chrono::seconds(1));
    return absl::OkStatus();
  }
  const auto certificate =
      authority_->Issue(key_, Clock::now(), reconciler_.settings_.certificate_lifetime);
  if (!certificate.ok()) return certificate.status();
  const std::string token = authority_->DrainToken(key_, view_.declared->uid);
  WriteOptions options;
  options.force = !memory_.secret_uid.empty();  // Somebody else's Secret of this name stays theirs.
  const auto answer = client_.Apply(Secrets(), Name(SecretName(key_)),
                                    SecretFor(resource_, *certificate, token), options);
  if (IsConflict(answer.status()) && !options.force)
    return NotOurs(Secrets(), SecretName(key_), answer.status());
  if (!answer.ok()) return answer.status();
  memory_.secret_uid = FindString(answer->as_object(), {"metadata", "uid"});
  memory_.certificate = CertificateText(*authority_, certificate->expires);
  AgainAfter(ReadCertificateText(memory_.certificate, *authority_)->until_renewal());
  return absl::OkStatus();
}

absl::Status Reconciler::Run::Service() {
  if (!HasService(resource_)) return Remove(Services(), view_.service);
  return Ensure(ChildKind::kService, Services(), ServiceFor(resource_), view_.service).status();
}

absl::Status Reconciler::Run::SetMark(const PodInfo& pod, bool marked) {
  json::value cost;
  const auto& annotations = PodOf(resource_).pod_annotations();
  if (marked) {
    cost = kIdleCost;
  } else if (const auto own = annotations.find(kDeletionCostAnnotation); own != annotations.end()) {
    cost = own->second;
  }
  const json::object patch{
      {"metadata", json::object{{"annotations", json::object{{kDeletionCostAnnotation, cost}}}}}};
  const auto status = client_.Patch(Pods(), Name(pod.name), PatchType::kMerge, patch).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status Reconciler::Run::Deployment() {
  const int before = view_.deployment == nullptr ? 0 : view_.deployment->replicas;
  const int desired = *view_.desired;
  for (const MarkChange& change : MarkChanges(view_, before, desired)) {
    if (absl::Status status = SetMark(*change.pod, change.marked); !status.ok()) return status;
  }
  DeploymentParts parts;
  parts.replicas = desired;
  parts.drain_token = authority_->DrainToken(key_, view_.declared->uid);
  parts.secret_uid = memory_.secret_uid;
  parts.certificate = memory_.certificate;
  const auto written =
      Ensure(ChildKind::kDeployment, Deployments(),
             DeploymentFor(resource_, reconciler_.settings_.objects, parts), view_.deployment);
  if (!written.ok()) return written.status();
  const int announced = memory_.replicas.value_or(before);
  if (*written && desired != announced) {
    reconciler_.announcer_.Scaled(*view_.declared, announced, desired);
  }
  memory_.replicas = desired;
  return absl::OkStatus();
}

Reconciler::Reconciler(ReconcilerSettings settings, Client& client, ClusterView& view,
                       const AuthorityFiles& authority, Announcer& announcer,
                       std::function<void(const v1::ResourceKey&)> refused)
    : settings_(std::move(settings)),
      client_(client),
      view_(view),
      authority_(authority),
      announcer_(announcer),
      refused_(std::move(refused)) {}

Reconciler::~Reconciler() = default;

std::shared_ptr<Reconciler::Memory> Reconciler::MemoryOf(const v1::ResourceKey& key) {
  std::lock_guard lock(mutex_);
  auto& memory = memories_[key];
  if (memory == nullptr) memory = std::make_shared<Memory>();
  return memory;
}

void Reconciler::Forget() {
  std::lock_guard lock(mutex_);
  memories_.clear();
}

ReconcileResult Reconciler::Reconcile(const std::string& queue_key) {
  const auto key = ParseQueueKey(queue_key);
  if (!key.has_value()) return {};
  std::optional<ResourceView> view = view_.Get(*key);
  if (!view.has_value() || !view->exists() || view->resource == nullptr) {
    {
      std::lock_guard lock(mutex_);
      memories_.erase(*key);
    }
    ReconcileResult result;
    if (view.has_value()) result.status = KeepSecret(*key, *view);
    return result;
  }
  if (!view->desired.has_value()) return {};
  if (*view->desired == 0 && view->deployment == nullptr) return {};
  const std::shared_ptr<Memory> memory = MemoryOf(*key);
  const DeclaredPtr declared = view->declared;
  Run run(*this, *key, *std::move(view), *memory);
  ReconcileResult result;
  result.status = run.All();
  if (result.status.ok() && run.again_after().count() > 0) result.again_after = run.again_after();
  // What the user can do something about, and what will not pass by itself.
  std::string refusal;
  if (IsInvalid(result.status) || absl::IsAlreadyExists(result.status) ||
      absl::IsPermissionDenied(result.status)) {
    refusal = std::string(result.status.message());
    announcer_.Refused(*declared, "ApplyFailed", refusal);
  }
  if (view_.SetRefusal(*key, refusal)) refused_(*key);
  return result;
}

}  // namespace krypton::kube
