#include "manager/platform/kubernetes/kubernetes_platform.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/log/log.h"
#include "common/resource/key.h"
#include "manager/platform/kubernetes/client/config.h"
#include "manager/platform/kubernetes/kubernetes_platform_impl.h"
#include "manager/platform/kubernetes/objects/json.h"
#include "manager/platform/kubernetes/objects/names.h"
#include "manager/platform/kubernetes/objects/pod.h"

namespace krypton::platform {
namespace {

// Of what is written about one resource, so that what changes together is written once.
constexpr std::chrono::milliseconds kStatusDelay{100};
constexpr std::chrono::minutes kAuthorityInterval{1};
// For the last Events of a manager that ends.
constexpr std::chrono::milliseconds kEventPatience{1000};
// On the gateways' certificates; the sidecars' say krypton-proxy.
constexpr char kGatewayName[] = "krypton-gateway";

kube::ReconcilerSettings ReconcilerSettingsOf(const KubernetesSettings& settings) {
  return {settings.objects,
          std::chrono::duration_cast<std::chrono::seconds>(settings.certificate_lifetime)};
}

std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "krypton-manager";
}

absl::Status Check(const KubernetesSettings& settings) {
  const auto required = [](const std::string& value, const char* flag, const char* what) {
    return value.empty() ? absl::InvalidArgumentError(absl::StrCat(
                               flag, " is required with --platform kubernetes: ", what))
                         : absl::OkStatus();
  };
  for (const absl::Status& status :
       {required(settings.objects.proxy_image, "--proxy-image", "the sidecar's image"),
        required(settings.objects.manager_address, "--manager-service",
                 "where sidecars reach a manager"),
        required(settings.sidecar_ca_cert, "--sidecar-ca-cert",
                 "the authority of the sidecars' certificates"),
        required(settings.sidecar_ca_key, "--sidecar-ca-key", "the authority's key")}) {
    if (!status.ok()) return status;
  }
  if (settings.api_qps <= 0 || settings.api_burst < 1) {
    return absl::InvalidArgumentError("--kube-api-qps and --kube-api-burst are above 0");
  }
  if (settings.certificate_lifetime < std::chrono::minutes(3)) {
    return absl::InvalidArgumentError("--sidecar-certificate-lifetime is at least 3m");
  }
  return absl::OkStatus();
}

}  // namespace

struct KubernetesPlatform::Watches {
  using Declared = kube::Informer<kube::Declared>;
  using Children = kube::Informer<kube::ChildInfo>;

  void Start() {
    agents->Start();
    models->Start();
    pods->Start();
    for (const auto& child : children) child->Start();
  }
  void Stop() {
    agents->Stop();
    models->Stop();
    pods->Stop();
    for (const auto& child : children) child->Stop();
  }

  std::unique_ptr<Declared> agents;
  std::unique_ptr<Declared> models;
  std::unique_ptr<kube::Informer<kube::PodInfo>> pods;
  std::vector<std::unique_ptr<Children>> children;
};

KubernetesPlatform::KubernetesPlatform(KubernetesSettings settings, const kube::Config& config,
                                       prometheus::Registry& metrics)
    : settings_(std::move(settings)),
      metrics_(metrics),
      lease_client_(config, kube::LeaseClientSettings(settings_.lease), metrics),
      reader_(config, kube::ClientSettings(), metrics),
      review_client_(config, kube::TokenReviewClientSettings(), metrics),
      elector_(std::make_unique<kube::LeaderElector>(
          lease_client_, settings_.lease,
          kube::LeaderCallbacks{
              .started = [this](uint64_t term) { OnStarted(term); },
              .stopped = [this] { OnStopped(); },
              .leader_changed = [this](const kube::Leader& leader) { OnLeaderChanged(leader); }},
          metrics)),
      writer_(config, WriterSettings(), metrics),
      status_client_(config, WriterSettings(), metrics),
      authority_(settings_.sidecar_ca_cert, settings_.sidecar_ca_key),
      view_([this](const resource::Resource& resource) {
        const std::string token =
            authority_.Get()->DrainToken(resource.key(), resource.metadata().uid());
        const auto pod = kube::PodTemplate(resource, settings_.objects, token);
        return kube::FindString(pod, {"metadata", "annotations", kube::kTemplateAnnotation});
      }),
      reviewer_(review_client_, {}, metrics),
      proof_(reviewer_, {kGatewayName}, [this](const std::string& uid) { return FindPod(uid); }),
      events_(status_client_, {.instance = settings_.pod_name}, metrics),
      announcer_(events_),
      queue_({.name = "resource"}, metrics),
      status_queue_({.name = "status"}, metrics),
      reconciler_(ReconcilerSettingsOf(settings_), writer_, view_, authority_, announcer_,
                  [this](const v1::ResourceKey& key) { teller_->Changed(key); }),
      status_writer_(status_client_, view_),
      workers_(
          "resource", settings_.workers, queue_,
          [this](const std::string& key) { return reconciler_.Reconcile(key); }, metrics),
      status_workers_(
          "status", 2, status_queue_,
          [this](const std::string& key) { return status_writer_.Reconcile(key); }, metrics) {}

KubernetesPlatform::~KubernetesPlatform() { Stop(); }

kube::ClientSettings KubernetesPlatform::WriterSettings() const {
  kube::ClientSettings settings;
  settings.qps = settings_.api_qps;
  settings.burst = settings_.api_burst;
  settings.write_gate = [this] { return elector_->CheckLeader(); };
  return settings;
}

absl::Status KubernetesPlatform::LoadAuthority() { return authority_.Reload().status(); }

absl::Status KubernetesPlatform::Start(PlatformListener& listener) {
  teller_ = std::make_unique<kube::Teller>(
      view_, listener, [this](const kube::ResourceView& view) { OnTold(view); });
  std::vector<std::string> namespaces = settings_.watch_namespaces;
  if (namespaces.empty()) namespaces = {""};
  for (const std::string& name : namespaces) watches_.push_back(MakeWatches(name));
  to_list_ = static_cast<int>(6 * watches_.size());
  confirmer_.emplace();
  teller_->Start();
  reviewer_.Start();
  events_.Start();
  workers_.Start();
  status_workers_.Start();
  for (const auto& watches : watches_) watches->Start();
  authority_check_.emplace(kAuthorityInterval, [this] { CheckAuthority(); });
  return elector_->Start();
}

std::unique_ptr<KubernetesPlatform::Watches> KubernetesPlatform::MakeWatches(
    const std::string& name_space) {
  auto watches = std::make_unique<Watches>();
  const auto settings = [&](const kube::GroupVersionResource& gvr, std::string selector) {
    kube::ReflectorSettings reflector;
    reflector.gvr = gvr;
    reflector.name_space = name_space;
    reflector.label_selector = std::move(selector);
    return reflector;
  };
  const auto declared = [&](v1::ResourceKind kind) {
    const auto set = [this](const kube::DeclaredPtr& now) {
      view_.SetDeclared(now->key, now);
      Changed(now->key);
      if (elector_->IsLeader()) status_queue_.Add(kube::QueueKey(now->key));
    };
    return std::make_unique<Watches::Declared>(
        reader_, settings(kube::CustomResource(kind), ""),
        [kind](const auto& object) { return std::optional(kube::ReadDeclared(kind, object)); },
        Watches::Declared::Handlers{
            .added = [set](const auto&, const auto& now) { set(now); },
            .updated = [set](const auto&, const auto&, const auto& now) { set(now); },
            .deleted =
                [this](const auto&, const auto& before) {
                  view_.SetDeclared(before->key, nullptr);
                  announcer_.Forget(before->uid);
                  Changed(before->key);
                },
            .synced = [this] { OnListed(); }},
        metrics_);
  };
  watches->agents = declared(v1::RESOURCE_KIND_AGENT);
  watches->models = declared(v1::RESOURCE_KIND_MODEL);
  const auto set_pod = [this](const kube::PodPtr& now) {
    view_.SetPod(now->key, now->name, now);
    if (now->unheard) Confirm(*now);
    PodChanged(now->key);
  };
  watches->pods = std::make_unique<kube::Informer<kube::PodInfo>>(
      reader_, settings(kube::Pods(), kube::ManagedSelector()), kube::ReadPod,
      kube::Informer<kube::PodInfo>::Handlers{
          .added = [set_pod](const auto&, const auto& now) { set_pod(now); },
          .updated =
              [set_pod](const auto&, const auto& before, const auto& now) {
                if (!(*before == *now)) set_pod(now);
              },
          .deleted =
              [this](const auto&, const auto& before) {
                view_.SetPod(before->key, before->name, nullptr);
                announcer_.Forget(before->uid);
                PodChanged(before->key);
              },
          .synced = [this] { OnListed(); }},
      metrics_);
  const auto children = [&](const kube::GroupVersionResource& gvr, kube::ChildKind kind) {
    const auto set = [this, kind](const v1::ResourceKey& key, const kube::ChildPtr& now) {
      view_.SetChild(key, kind, now);
      Changed(key);
    };
    watches->children.push_back(std::make_unique<Watches::Children>(
        reader_, settings(gvr, kube::ManagedSelector()), kube::ReadChild,
        Watches::Children::Handlers{
            .added = [set](const auto&, const auto& now) { set(now->key, now); },
            .updated =
                [set](const auto&, const auto& before, const auto& now) {
                  if (!kube::SameChild(*before, *now)) set(now->key, now);
                },
            .deleted = [set](const auto&, const auto& before) { set(before->key, nullptr); },
            .synced = [this] { OnListed(); }},
        metrics_));
  };
  children(kube::Deployments(), kube::ChildKind::kDeployment);
  children(kube::Services(), kube::ChildKind::kService);
  children(kube::ServiceAccounts(), kube::ChildKind::kAccount);
  return watches;
}

void KubernetesPlatform::OnListed() {
  if (--to_list_ == 0) teller_->Synced();
}

void KubernetesPlatform::Changed(const v1::ResourceKey& key) {
  teller_->Changed(key);
  if (elector_->IsLeader()) queue_.Add(kube::QueueKey(key));
}

// What the children are does not follow from the pods, but whether a mark still counts does.
void KubernetesPlatform::PodChanged(const v1::ResourceKey& key) {
  teller_->Changed(key);
  if (elector_->IsLeader() && view_.HasMarks(key)) queue_.Add(kube::QueueKey(key));
}

void KubernetesPlatform::OnStarted(uint64_t term) {
  reconciler_.Forget();
  teller_->Leadership(true, term, settings_.advertise_address);
  // Of a spec that is refused the manager hears nothing: to say so is left to the platform.
  for (const v1::ResourceKey& key : view_.Keys()) {
    teller_->Changed(key);
    status_queue_.Add(kube::QueueKey(key));
  }
}

// By the elector, before another can begin: the clients' gate is closed already.
void KubernetesPlatform::OnStopped() {
  view_.ForgetWishes();
  reconciler_.Forget();
  teller_->Leadership(false, elector_->leader().term, "");
}

void KubernetesPlatform::OnLeaderChanged(const kube::Leader& leader) {
  if (leader.identity == elector_->identity()) return;
  teller_->Leadership(false, leader.term, leader.address);
}

void KubernetesPlatform::OnTold(const kube::ResourceView& view) {
  if (!elector_->IsLeader()) return;
  announcer_.Pods(view);
  if (view.declared->resource == nullptr) {
    announcer_.Refused(*view.declared, "InvalidSpec", view.declared->problems[0].reason());
  }
}

std::optional<kube::KnownPod> KubernetesPlatform::FindPod(const std::string& uid) const {
  const kube::PodPtr pod = view_.FindPod(uid);
  if (pod == nullptr) return std::nullopt;
  return kube::KnownPod{pod->key.namespace_(), pod->name, pod->key};
}

void KubernetesPlatform::CheckAuthority() {
  const absl::StatusOr<bool> changed = authority_.Reload();
  if (!changed.ok()) {
    log::Warn("the sidecars' authority cannot be read again",
              {{"why", std::string(changed.status().message())}});
    return;
  }
  if (!*changed) return;
  log::Info("the sidecars' authority is another");
  view_.Recompute();
  for (const v1::ResourceKey& key : view_.Keys()) Changed(key);
}

void KubernetesPlatform::SetReplicas(const v1::ResourceKey& key, int desired) {
  if (view_.SetDesired(key, std::max(desired, 0))) queue_.Add(kube::QueueKey(key));
}

void KubernetesPlatform::PreferRemoval(const v1::ResourceKey& key,
                                       std::vector<std::string> instances) {
  view_.SetIdle(key, std::move(instances));
}

void KubernetesPlatform::OnReplicaState(const v1::ResourceKey& key, const std::string& instance,
                                        v1::EndpointState) {
  // It speaks, so it lives.
  if (view_.SetSilent(key, instance, false)) teller_->Changed(key);
}

void KubernetesPlatform::OnStatus(const v1::ResourceKey& key, const Status& status) {
  if (view_.SetStatus(key, status)) status_queue_.AddAfter(kube::QueueKey(key), kStatusDelay);
}

void KubernetesPlatform::ConfirmReplica(const v1::ResourceKey&, const std::string& instance) {
  if (!elector_->IsLeader() || stopped_) return;
  const kube::PodPtr pod = view_.FindPod(instance);
  if (pod != nullptr) Confirm(*pod);
}

void KubernetesPlatform::Confirm(const kube::PodInfo& pod) {
  if (pod.ip.empty()) return;
  const auto silence =
      pod.unheard ? kube::Confirmer::Silence::kDead : kube::Confirmer::Silence::kUnknown;
  confirmer_->Ask(pod.ip, kube::kProxyPort, silence, [this, key = pod.key, uid = pod.uid] {
    if (view_.SetSilent(key, uid, true)) teller_->Changed(key);
  });
}

// What runs is finished, then the leadership is given up, then reading ends; an API server that
// does not answer is waited for so long and no longer.
void KubernetesPlatform::Stop() {
  if (teller_ == nullptr || stopped_.exchange(true)) return;
  authority_check_.reset();
  {
    const kube::Patience patience({&writer_, &status_client_}, settings_.stop_patience);
    workers_.Stop();
    status_workers_.Stop();
    events_.Stop(std::min(kEventPatience, settings_.stop_patience));
  }
  {
    const kube::Patience patience({&lease_client_}, settings_.stop_patience);
    elector_->Stop();
  }
  for (const auto& watches : watches_) watches->Stop();
  review_client_.Shutdown();
  reviewer_.Stop();
  teller_->Stop();
  reader_.Shutdown();
}

void KubernetesPlatform::Abort() {
  for (kube::Client* client :
       {&writer_, &status_client_, &lease_client_, &review_client_, &reader_}) {
    client->Shutdown();
  }
}

absl::StatusOr<std::unique_ptr<Platform>> NewKubernetesPlatform(KubernetesSettings settings,
                                                                prometheus::Registry& metrics) {
  if (absl::Status status = Check(settings); !status.ok()) return status;
  const absl::StatusOr<kube::Config> config = kube::LoadConfig(settings.kubeconfig);
  if (!config.ok()) return config.status();
  if (settings.name_space.empty()) settings.name_space = config->name_space;
  if (settings.pod_name.empty()) settings.pod_name = HostName();
  settings.lease.name_space = settings.name_space;
  settings.lease.identity = settings.pod_name;
  settings.lease.address = settings.advertise_address;
  if (settings.objects.tls_server_name.empty()) {
    const std::string& address = settings.objects.manager_address;
    settings.objects.tls_server_name = address.substr(0, address.rfind(':'));
  }
  auto platform = std::make_unique<KubernetesPlatform>(std::move(settings), *config, metrics);
  if (absl::Status status = platform->LoadAuthority(); !status.ok()) return status;
  return std::unique_ptr<Platform>(std::move(platform));
}

}  // namespace krypton::platform
