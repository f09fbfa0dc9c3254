#include "common/resource/manifest.h"

#include <chrono>
#include <random>

#include "common/config/duration.h"
#include "common/resource/rules.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace krypton::resource {
namespace {

using google::protobuf::util::MessageDifferencer;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kEverything = R"(apiVersion: krypton.ai/v1alpha1
kind: Agent
metadata:
  name: full
  namespace: team-a
  uid: 1b2c
  generation: 7
  creationTimestamp: "2026-01-01T00:00:00Z"
  labels: {app: full, tier: "1"}
  annotations:
    krypton.ai/local-command: exec python3 agent.py --flag "a b"
    example.com/note: 'it''s: a #note'
spec:
  image: registry.example/full:1.2
  imagePullPolicy: Always
  imagePullSecrets: [{name: pull}]
  runtime: python3.12
  framework: langgraph
  protocol: mcp
  mode: serverless
  minReplicas: 1
  maxReplicas: 4
  concurrency: 3
  scaleToZeroAfter: 1h30m
  port: 9000
  invocationPath: /mcp?x=1
  resources:
    requests: {cpu: "0.5", memory: 64Mi}
    limits: {cpu: 1, memory: 1Gi}
  env:
  - {name: A, value: "1"}
  - name: B
    valueFrom: {secretKeyRef: {name: s, key: k}}
  envFrom:
  - configMapRef: {name: c}
  serviceAccountName: sa
  timeout: 90s
  startupTimeout: 10s
  hostHeader: agent
  maxStreams: 5
  scaler: external
  replicas: 2
  service: false
  affinity:
    header: X-Session
    nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}}
  command: [python3]
  args: ["-m", "agent", "yes"]
  volumes: [{name: data, emptyDir: {}}]
  volumeMounts: [{name: data, mountPath: /data, readOnly: true}]
  livenessProbe: {httpGet: {path: /live, port: 9000}, periodSeconds: 2}
  readinessProbe: {tcpSocket: {port: http}}
  startupProbe: {exec: {command: ["true"]}}
  securityContext: {runAsNonRoot: true}
  podSecurityContext: {fsGroup: 1000}
  runtimeClassName: gvisor
  priorityClassName: high
  nodeSelector: {disk: ssd}
  tolerations: [{key: gpu, operator: Exists}]
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]
  podLabels: {team: a}
  podAnnotations: {note: null-ish}
status:
  phase: Ready
)";

std::string AgentYaml(std::string_view spec, std::string_view metadata = "") {
  return fmt::format(
      "apiVersion: krypton.ai/v1alpha1\nkind: Agent\nmetadata:\n  name: echo\n  annotations: "
      "{{krypton.ai/local-command: run}}\n{}spec:\n  image: i\n{}",
      metadata, spec);
}

const v1::AgentSpec& OnlySpec(const Manifest& manifest) {
  static const v1::AgentSpec* const kNone = new v1::AgentSpec();
  for (const auto& problem : manifest.problems) ADD_FAILURE() << ToString(problem);
  if (manifest.resources.size() != 1) {
    ADD_FAILURE() << manifest.resources.size() << " resources";
    return *kNone;
  }
  return manifest.resources[0].resource->agent()->spec();
}

Manifest Parse(std::string_view yaml) { return ParseManifest("f.yaml", yaml, Target::kLocal); }

TEST(ManifestTest, AgentDefaultsAreTheDesigns) {
  const Manifest manifest = Parse(AgentYaml(""));
  const v1::AgentSpec& spec = OnlySpec(manifest);
  EXPECT_EQ(spec.image_pull_policy(), "IfNotPresent");
  EXPECT_EQ(spec.protocol(), v1::AGENT_PROTOCOL_A2A);
  EXPECT_EQ(spec.mode(), v1::SCALING_MODE_ALWAYS_ON);
  EXPECT_EQ(spec.min_replicas(), 1);
  EXPECT_EQ(spec.max_replicas(), 10);
  EXPECT_EQ(spec.concurrency(), 8);
  EXPECT_FALSE(spec.has_scale_to_zero_after());
  EXPECT_EQ(spec.port(), 8080);
  EXPECT_EQ(spec.invocation_path(), "/");
  EXPECT_EQ(spec.timeout().seconds(), 60);
  EXPECT_EQ(spec.startup_timeout().seconds(), 30);
  EXPECT_EQ(spec.host_header(), v1::HOST_HEADER_PRESERVE);
  EXPECT_EQ(spec.max_streams(), 256);
  EXPECT_EQ(spec.scaler(), v1::SCALER_KRYPTON);
  EXPECT_EQ(spec.replicas(), 1);
  EXPECT_TRUE(spec.service());
  const Resource& resource = *manifest.resources[0].resource;
  EXPECT_EQ(ToString(resource.key()), "default/echo");
  EXPECT_EQ(resource.local_command(), "run");
  EXPECT_EQ(resource.timeout(), seconds(60));
}

TEST(ManifestTest, ServerlessDefaults) {
  const Manifest manifest = Parse(AgentYaml("  mode: serverless\n"));
  const v1::AgentSpec& spec = OnlySpec(manifest);
  EXPECT_EQ(spec.min_replicas(), 0);
  EXPECT_EQ(spec.scale_to_zero_after().seconds(), 300);
}

TEST(ManifestTest, ModelDefaultsAreTheDesigns) {
  const Manifest manifest = ParseManifest(
      "m.yaml",
      "apiVersion: krypton.ai/v1alpha1\nkind: Model\nmetadata: {name: gemma}\nspec:\n  source: "
      "{huggingface: ggml-org/gemma-3-270m-GGUF, file: gemma.gguf}\n  args: [-c, '2048']\n",
      Target::kCluster);
  ASSERT_THAT(manifest.problems, IsEmpty());
  ASSERT_THAT(manifest.resources, SizeIs(1));
  const v1::ModelSpec& spec = manifest.resources[0].resource->model()->spec();
  EXPECT_EQ(spec.runtime(), "llama.cpp");
  EXPECT_EQ(spec.image(), "ghcr.io/ggml-org/llama.cpp:server");
  EXPECT_EQ(spec.max_replicas(), 1);
  EXPECT_EQ(spec.concurrency(), 4);
  EXPECT_EQ(spec.timeout().seconds(), 600);
  EXPECT_EQ(spec.startup_timeout().seconds(), 600);
  EXPECT_EQ(spec.usage(), v1::MODEL_USAGE_OBSERVE);
  EXPECT_THAT(spec.args(), ElementsAre("-c", "2048"));
}

TEST(ManifestTest, EveryFieldIsReadAndWrittenBack) {
  const Manifest manifest = Parse(kEverything);
  const v1::AgentSpec& spec = OnlySpec(manifest);
  EXPECT_THAT(spec.image_pull_secrets(), ElementsAre("pull"));
  EXPECT_EQ(spec.scale_to_zero_after().seconds(), 5400);
  EXPECT_EQ(spec.resources().requests().at("cpu"), "0.5");
  EXPECT_EQ(spec.env(1).value_from().fields().size(), 1u);
  EXPECT_EQ(spec.affinity().header(), "x-session");
  EXPECT_EQ(spec.pod().affinity().fields().count("nodeAffinity"), 1u);
  EXPECT_THAT(spec.pod().args(), ElementsAre("-m", "agent", "yes"));
  EXPECT_EQ(spec.pod().volume_mounts(0).fields().at("readOnly").bool_value(), true);
  // Nothing was forgotten: every field of the spec and of the pod is set.
  for (const google::protobuf::Message* message :
       {static_cast<const google::protobuf::Message*>(&spec),
        static_cast<const google::protobuf::Message*>(&spec.pod())}) {
    std::vector<const google::protobuf::FieldDescriptor*> set;
    message->GetReflection()->ListFields(*message, &set);
    EXPECT_EQ(set.size(), static_cast<size_t>(message->GetDescriptor()->field_count()))
        << message->DebugString();
  }
  const std::string yaml = ToYaml(*manifest.resources[0].resource->agent());
  const Manifest again = Parse(yaml);
  EXPECT_TRUE(MessageDifferencer::Equals(OnlySpec(again), spec)) << yaml;
  EXPECT_TRUE(again.resources[0].resource->SameSpec(*manifest.resources[0].resource));
  EXPECT_EQ(again.resources[0].resource->local_command(), "exec python3 agent.py --flag \"a b\"");
}

TEST(ManifestTest, StatusIsWrittenInKubernetesWordsAndReadOver) {
  v1::Agent agent = *Parse(AgentYaml("")).resources.at(0).resource->agent();
  agent.mutable_metadata()->set_generation(3);
  agent.mutable_status()->set_phase(v1::AGENT_PHASE_READY);
  agent.mutable_status()->mutable_last_invocation_at()->set_seconds(0);
  auto* condition = agent.mutable_status()->add_conditions();
  condition->set_type("Available");
  condition->set_status(v1::CONDITION_STATUS_TRUE);
  const std::string yaml = ToYaml(agent);
  EXPECT_THAT(yaml, HasSubstr("status:\n  phase: Ready\n"));
  EXPECT_THAT(yaml, HasSubstr("lastInvocationAt: \"1970-01-01T00:00:00Z\""));
  EXPECT_THAT(yaml, HasSubstr("  - type: Available\n    status: \"True\"\n"));
  EXPECT_THAT(yaml, HasSubstr("  timeout: 1m\n"));
  OnlySpec(Parse(yaml));
}

TEST(ManifestTest, DocumentsStandAlone) {
  const Manifest manifest =
      Parse("# only a comment\n---\n" + AgentYaml("") + "---\n{ not yaml\n---\nkind: Agent\n---\n" +
            AgentYaml("").replace(AgentYaml("").find("echo"), 4, "last"));
  ASSERT_THAT(manifest.resources, SizeIs(2));
  EXPECT_EQ(ToString(manifest.resources[1].resource->key()), "default/last");
  EXPECT_EQ(manifest.resources[1].document, 4);
  ASSERT_THAT(manifest.problems, SizeIs(2));
  EXPECT_EQ(manifest.problems[0].document(), 2);
  EXPECT_THAT(manifest.problems[0].reason(), HasSubstr("not YAML"));
  EXPECT_THAT(manifest.problems[1].reason(), HasSubstr("apiVersion is missing"));
}

TEST(ManifestTest, ProblemsSayFileDocumentLineAndField) {
  const Manifest manifest = Parse("---\n" + AgentYaml("  port: 70000\n"));
  ASSERT_THAT(manifest.problems, SizeIs(1));
  const auto& problem = manifest.problems[0];
  EXPECT_EQ(problem.file(), "f.yaml");
  EXPECT_EQ(problem.document(), 1);
  EXPECT_EQ(problem.line(), 9);
  EXPECT_EQ(problem.field(), "spec.port");
  EXPECT_EQ(problem.reason(), "agent \"default/echo\": spec.port 70000 is not in 1..65535");
  EXPECT_EQ(problem.key().name(), "echo");
  EXPECT_EQ(ToString(problem),
            "f.yaml:9 (document 1): agent \"default/echo\": spec.port 70000 is not in 1..65535");
}

TEST(ManifestTest, TheSameNameTwiceIsRefusedTheSecondTime) {
  const Manifest manifest = Parse(AgentYaml("") + "---\n" + AgentYaml("  port: 81\n"));
  ASSERT_THAT(manifest.resources, SizeIs(1));
  EXPECT_EQ(manifest.resources[0].resource->port(), 8080);
  ASSERT_THAT(manifest.problems, SizeIs(1));
  EXPECT_EQ(manifest.problems[0].document(), 2);
}

}  // namespace
}  // namespace krypton::resource
