#include "absl/strings/ascii.h"
#include "common/resource/rules.h"

namespace krypton::resource {
namespace {

template <typename Spec>
void SetScalingDefaults(Spec* spec, int max_replicas, int concurrency, int timeout_seconds,
                        int startup_seconds) {
  if (spec->mode() == v1::SCALING_MODE_UNSPECIFIED) spec->set_mode(v1::SCALING_MODE_ALWAYS_ON);
  const bool serverless = spec->mode() == v1::SCALING_MODE_SERVERLESS;
  if (!spec->has_min_replicas()) spec->set_min_replicas(serverless ? 0 : 1);
  if (!spec->has_max_replicas()) spec->set_max_replicas(max_replicas);
  if (spec->scaler() == v1::SCALER_UNSPECIFIED) spec->set_scaler(v1::SCALER_KRYPTON);
  if (!spec->has_replicas()) spec->set_replicas(1);
  if (!spec->has_service()) spec->set_service(true);
  if (!spec->has_concurrency()) spec->set_concurrency(concurrency);
  if (!spec->has_port()) spec->set_port(8080);
  if (serverless && !spec->has_scale_to_zero_after()) {
    spec->mutable_scale_to_zero_after()->set_seconds(300);
  }
  if (!spec->has_timeout()) spec->mutable_timeout()->set_seconds(timeout_seconds);
  if (!spec->has_startup_timeout()) {
    spec->mutable_startup_timeout()->set_seconds(startup_seconds);
  }
  if (spec->image_pull_policy().empty()) spec->set_image_pull_policy("IfNotPresent");
  // `volumes: []` says nothing; it is no change of the spec either.
  if (spec->pod().ByteSizeLong() == 0) spec->clear_pod();
  if (spec->resources().ByteSizeLong() == 0) spec->clear_resources();
}

void SetMetadataDefaults(v1::ObjectMeta* metadata) {
  if (metadata->namespace_().empty()) metadata->set_namespace_("default");
}

}  // namespace

void SetDefaults(v1::Agent* agent) {
  SetMetadataDefaults(agent->mutable_metadata());
  v1::AgentSpec* spec = agent->mutable_spec();
  SetScalingDefaults(spec, 10, 8, 60, 30);
  if (spec->protocol() == v1::AGENT_PROTOCOL_UNSPECIFIED) {
    spec->set_protocol(v1::AGENT_PROTOCOL_A2A);
  }
  if (spec->host_header() == v1::HOST_HEADER_UNSPECIFIED) {
    spec->set_host_header(v1::HOST_HEADER_PRESERVE);
  }
  if (spec->invocation_path().empty()) spec->set_invocation_path("/");
  if (!spec->has_max_streams()) spec->set_max_streams(256);
  if (spec->has_affinity()) absl::AsciiStrToLower(spec->mutable_affinity()->mutable_header());
}

void SetDefaults(v1::Model* model) {
  SetMetadataDefaults(model->mutable_metadata());
  v1::ModelSpec* spec = model->mutable_spec();
  SetScalingDefaults(spec, 1, 4, 600, 600);
  if (spec->runtime().empty()) spec->set_runtime("llama.cpp");
  if (spec->image().empty()) spec->set_image("ghcr.io/ggml-org/llama.cpp:server");
  if (spec->usage() == v1::MODEL_USAGE_UNSPECIFIED) spec->set_usage(v1::MODEL_USAGE_OBSERVE);
  if (spec->cache().ByteSizeLong() == 0) spec->clear_cache();
}

}  // namespace krypton::resource
