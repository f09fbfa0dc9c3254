// The parts of the Kubernetes platform, in the order in which data passes through them.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "manager/platform/kubernetes/announcer.h"
#include "manager/platform/kubernetes/authority.h"
#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/client/event_recorder.h"
#include "manager/platform/kubernetes/client/informer.h"
#include "manager/platform/kubernetes/client/leader_elector.h"
#include "manager/platform/kubernetes/client/patience.h"
#include "manager/platform/kubernetes/client/work_queue.h"
#include "manager/platform/kubernetes/cluster_view.h"
#include "manager/platform/kubernetes/confirmer.h"
#include "manager/platform/kubernetes/log_stream.h"
#include "manager/platform/kubernetes/proof/reporter_proof.h"
#include "manager/platform/kubernetes/proof/token_reviewer.h"
#include "manager/platform/kubernetes/reconciler.h"
#include "manager/platform/kubernetes/settings.h"
#include "manager/platform/kubernetes/status_writer.h"
#include "manager/platform/kubernetes/teller.h"
#include "manager/platform/platform.h"
#include "manager/ticker.h"

namespace krypton::platform {

class KubernetesPlatform : public Platform {
 public:
  KubernetesPlatform(KubernetesSettings settings, const kube::Config& config,
                     prometheus::Registry& metrics);
  ~KubernetesPlatform() override;

  absl::Status Start(PlatformListener& listener) override;
  void SetReplicas(const v1::ResourceKey& key, int desired) override;
  void PreferRemoval(const v1::ResourceKey& key, std::vector<std::string> instances) override;
  void OnReplicaState(const v1::ResourceKey& key, const std::string& instance,
                      v1::EndpointState state) override;
  void OnStatus(const v1::ResourceKey& key, const Status& status) override;
  void ConfirmReplica(const v1::ResourceKey& key, const std::string& instance) override;
  absl::StatusOr<std::unique_ptr<LogStream>> ReadLogs(const v1::ResourceKey& key,
                                                      const LogOptions& options) override;
  manager::ReporterAuthenticator* authenticator() override { return &proof_; }
  void Stop() override;
  void Abort() override;

  // Reads the authority's files; before Start.
  absl::Status LoadAuthority();

 private:
  // The informers of one namespace, or of all.
  struct Watches;

  kube::ClientSettings WriterSettings() const;
  std::unique_ptr<Watches> MakeWatches(const std::string& name_space);
  void OnListed();
  void Changed(const v1::ResourceKey& key);
  void PodChanged(const v1::ResourceKey& key);
  void OnStarted(uint64_t term);
  void OnStopped();
  void OnLeaderChanged(const kube::Leader& leader);
  std::optional<kube::KnownPod> FindPod(const std::string& uid) const;
  // Asks the pod's sidecar; one that does not answer is no endpoint until it is heard of again.
  void Confirm(const kube::PodInfo& pod);
  kube::LogSources FindLogs(const v1::ResourceKey& key, const std::string& instance) const;
  // When a resource was told to the manager: what only the leader makes of it.
  void OnTold(const kube::ResourceView& view);
  void CheckAuthority();

  const KubernetesSettings settings_;
  prometheus::Registry& metrics_;
  kube::Client lease_client_;
  kube::Client reader_;
  kube::Client review_client_;
  std::unique_ptr<kube::LeaderElector> elector_;
  // With the elector as their gate. Status and events wait behind one another, but not before what
  // starts replicas.
  kube::Client writer_;
  kube::Client status_client_;
  kube::AuthorityFiles authority_;
  kube::ClusterView view_;
  kube::TokenReviewer reviewer_;
  kube::ReporterProof proof_;
  kube::EventRecorder events_;
  kube::Announcer announcer_;
  kube::WorkQueue queue_;
  kube::WorkQueue status_queue_;
  kube::Reconciler reconciler_;
  kube::StatusWriter status_writer_;
  kube::Workers workers_;
  kube::Workers status_workers_;
  std::unique_ptr<kube::Teller> teller_;
  std::vector<std::unique_ptr<Watches>> watches_;
  std::atomic<int> to_list_ = 0;
  std::optional<kube::Confirmer> confirmer_;
  std::optional<manager::Ticker> authority_check_;
  std::atomic<bool> stopped_ = false;
};

}  // namespace krypton::platform
