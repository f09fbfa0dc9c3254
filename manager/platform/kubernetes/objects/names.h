// How Krypton's things are called in a cluster: kinds, labels, annotations, and the names of what
// is made for an Agent or a Model. Values and pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "krypton/v1/resource.pb.h"
#include "manager/platform/kubernetes/client/resource.h"

namespace krypton::kube {

inline constexpr char kApiVersion[] = "krypton.ai/v1alpha1";

const GroupVersionResource& Agents();
const GroupVersionResource& Models();
const GroupVersionResource& Deployments();
const GroupVersionResource& Pods();
const GroupVersionResource& Services();
const GroupVersionResource& ServiceAccounts();
const GroupVersionResource& Secrets();

// Agents or models; "Agent", "Model".
const GroupVersionResource& CustomResource(v1::ResourceKind kind);
std::string_view KindName(v1::ResourceKind kind);

inline constexpr char kNameLabel[] = "app.kubernetes.io/name";
inline constexpr char kInstanceLabel[] = "app.kubernetes.io/instance";
inline constexpr char kManagedByLabel[] = "app.kubernetes.io/managed-by";
inline constexpr char kManagedBy[] = "krypton-runtime";
inline constexpr char kAgentLabel[] = "krypton.ai/agent";
inline constexpr char kModelLabel[] = "krypton.ai/model";

// On a child: the fingerprint of what was applied, so that what is applied already is not again.
inline constexpr char kIntentAnnotation[] = "krypton.ai/intent";
// On a pod: the fingerprint of its template, which says whether it is of the present generation.
inline constexpr char kTemplateAnnotation[] = "krypton.ai/template";
// On a pod, Kubernetes' own: which go first when there are to be fewer; and what marks ours.
inline constexpr char kDeletionCostAnnotation[] = "controller.kubernetes.io/pod-deletion-cost";
inline constexpr char kIdleCost[] = "-100";
// On a Deployment: until when the sidecars' certificate counts, and of which authority it is.
inline constexpr char kCertificateAnnotation[] = "krypton.ai/sidecar-certificate";

// Of the label that names the owner: krypton.ai/agent or krypton.ai/model.
const char* OwnerLabel(v1::ResourceKind kind);
// Selects what belongs to Krypton, or to one resource: `krypton.ai/agent=echo`.
std::string ManagedSelector();
std::string SelectorOf(const v1::ResourceKey& key);

// `name` and `suffix`, at most 63 characters; of a name that is too long a part and a hash of it.
std::string FitName(std::string_view name, std::string_view suffix);
// A Service's name begins with a letter (RFC 1035); a resource's may begin with a digit.
std::string ServiceName(const v1::ResourceKey& key);
std::string SecretName(const v1::ResourceKey& key);

// The key as work queues have it, "agent/default/echo", and back.
std::string QueueKey(const v1::ResourceKey& key);
std::optional<v1::ResourceKey> ParseQueueKey(std::string_view text);

}  // namespace krypton::kube
