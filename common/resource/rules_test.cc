#include "common/resource/rules.h"

#include "common/resource/manifest.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace krypton::resource {
namespace {

struct Row {
  // Lines of the spec, with their indentation.
  std::string_view spec;
  // Of the one problem; empty: accepted.
  std::string_view field;
  std::string_view text = "";
  Target target = Target::kLocal;
};

void ExpectVerdict(const Row& row, const std::string& yaml) {
  const Manifest manifest = ParseManifest("f", yaml, row.target);
  std::string all;
  for (const auto& problem : manifest.problems) all += ToString(problem) + "\n";
  if (row.field.empty()) {
    EXPECT_EQ(all, "") << yaml;
    return;
  }
  ASSERT_EQ(manifest.problems.size(), 1u) << all << yaml;
  EXPECT_EQ(manifest.problems[0].field(), row.field) << all;
  EXPECT_THAT(manifest.problems[0].reason(), testing::HasSubstr(std::string(row.text))) << all;
  EXPECT_EQ(manifest.resources.size(), 0u);
}

TEST(RulesTest, AgentSpecs) {
  const Row rows[] = {
      {"port: 1", ""},
      {"port: 65535", ""},
      {"port: 0", "spec.port", "0 is not in 1..65535"},
      {"port: 65536", "spec.port"},
      {"port: -1", "spec.port"},
      {"port: 99999999999", "spec.port", "far out of range"},
      {"port: '80'", "spec.port", "must be an integer, not the string \"80\""},
      {"port: 80.0", "spec.port", "must be an integer"},
      {"port: [80]", "spec.port", "not a list"},
      {"port: 8888", ""},
      {"port: 8888", "spec.port", "sidecar", Target::kCluster},
      {"mode: always-on\n  minReplicas: 0", "spec.minReplicas", "contradicts spec.mode always-on"},
      {"mode: serverless\n  minReplicas: 0", ""},
      {"minReplicas: 5\n  maxReplicas: 4", "spec.minReplicas", "5 is above spec.maxReplicas"},
      {"minReplicas: 11", "spec.minReplicas", "which is 10"},
      {"minReplicas: -1", "spec.minReplicas", "-1 is not in 0..10000"},
      {"mode: serverless\n  maxReplicas: 0", "spec.maxReplicas", "0 is not in 1..10000"},
      {"scaler: external\n  replicas: 0", ""},
      {"scaler: external\n  replicas: 3\n  maxReplicas: 2", ""},
      {"scaler: keda", "spec.scaler", "is not one of krypton, external"},
      {"replicas: 1", ""},
      {"replicas: 3", "spec.replicas", "contradicts spec.scaler krypton"},
      {"scaler: external\n  replicas: -1", "spec.replicas", "-1 is not in 0..10000"},
      {"service: false", ""},
      {"service: 'false'", "spec.service", "must be true or false, not the string"},
      {"scaleToZeroAfter: 10s", "spec.scaleToZeroAfter", "always-on"},
      {"mode: serverless\n  scaleToZeroAfter: 0s", "spec.scaleToZeroAfter", "0s is not in 1ms"},
      {"mode: serverless\n  scaleToZeroAfter: -5s", "spec.scaleToZeroAfter"},
      {"mode: Serverless", "spec.mode", "did you mean \"serverless\"?"},
      {"mode: [a]", "spec.mode", "must be a string"},
      {"protocol: grpc", "spec.protocol", "is not one of a2a, mcp, http"},
      {"hostHeader: agent", ""},
      {"hostHeader: keep", "spec.hostHeader"},
      {"timeout: 60", "spec.timeout", "has no unit"},
      {"timeout: 0s", "spec.timeout"},
      {"timeout: soon", "spec.timeout", "must be a duration"},
      {"timeout: 25h", "spec.timeout"},
      {"startupTimeout: -1s", "spec.startupTimeout"},
      {"concurrency: 0", "spec.concurrency"},
      {"maxStreams: 0", ""},
      {"maxStreams: -1", "spec.maxStreams"},
      {"invocationPath: /a?b=%20", ""},
      {"invocationPath: a", "spec.invocationPath"},
      {"invocationPath: '/a b'", "spec.invocationPath"},
      {"invocationPath: /a#b", "spec.invocationPath"},
      {"imagePullPolicy: Sometimes", "spec.imagePullPolicy"},
      {"imagePullSecrets: [a]", "spec.imagePullSecrets[0]", "{name: ...}"},
      {"imagePullSecrets: [{name: A_}]", "spec.imagePullSecrets[0].name"},
      {"env: [{name: A, value: b}]", ""},
      {"env: [{name: A}]", ""},
      {"env: [{value: b}]", "spec.env[0].name", "is required"},
      {"env: [{name: A, value: 1}]", "spec.env[0].value", "put it in quotes"},
      {"env: [{name: A, value: yes}]", "spec.env[0].value", "boolean yes"},
      {"env: [{name: A}, {name: A}]", "spec.env[1].name", "comes twice"},
      {"env: [{name: '1A'}]", "spec.env[0].name"},
      {"env: [{name: PORT, value: '1'}]", "spec.env[0].name", "reserved"},
      {"env: [{name: KRYPTON_X, value: '1'}]", "spec.env[0].name", "reserved"},
      {"env: [{name: A, value: b, valueFrom: {}}]", "spec.env[0].valueFrom"},
      {"env: {A: b}", "spec.env", "must be a list, not a mapping"},
      {"resources: {limits: {cpu: lots}}", "spec.resources.limits.cpu"},
      {"resources: {requests: {cpu: 2}, limits: {cpu: 1500m}}", "spec.resources.requests.cpu",
       "2 is above its limit, which is 1500m"},
      {"resources: {limits: {nvidia.com/gpu: 1}}", ""},
      {"affinity: {header: X-Session}", ""},
      {"affinity: {header: 'a b'}", "spec.affinity.header"},
      {"affinity: {header: ''}", "spec.affinity.header"},
      {"affinity: {header: Host}", "spec.affinity.header", "names no session"},
      {"affinity: {header: Krypton-Load}", "spec.affinity.header"},
      {"affinity: {cookie: x}", "spec.affinity.cookie", "not a known field"},
      {"serviceAccountName: A", "spec.serviceAccountName"},
      {"volumeMounts: [{name: x, mountPath: /x}]", "spec.volumeMounts[0].name",
       "is not in spec.volumes"},
      {"volumes: [{name: krypton-tls}]", "spec.volumes[0].name", "reserved"},
      {"podLabels: {krypton.ai/agent: x}", "spec.podLabels[\"krypton.ai/agent\"]", "reserved"},
      {"podAnnotations: {krypton.ai/x: x}", "spec.podAnnotations[\"krypton.ai/x\"]"},
      {"nodeSelector: {a: true}", "spec.nodeSelector.a", "must be a string"},
      {"livenessProbe: x", "spec.livenessProbe", "must be a mapping"},
      {"minReplica: 1", "spec.minReplica", "did you mean \"minReplicas\"?"},
      {"min_replicas: 1", "spec.min_replicas", "did you mean \"minReplicas\"?"},
      {"maxStraems: 1", "spec.maxStraems", "did you mean \"maxStreams\"?"},
      {"zzz: 1", "spec.zzz", "is not a known field"},
      {"pod: {}", "spec.pod", "is not a known field"},
      {"env:", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.spec));
    ExpectVerdict(row, fmt::format("apiVersion: krypton.ai/v1alpha1\nkind: Agent\nmetadata:\n  "
                                   "name: echo\n  annotations: {{krypton.ai/local-command: "
                                   "run}}\nspec:\n  image: i\n  {}\n",
                                   row.spec));
  }
}

TEST(RulesTest, Metadata) {
  const std::string label(64, 'a');
  const std::string long_name = "name: " + label;
  const Row rows[] = {
      {"name: a", ""},
      {"name: A", "metadata.name", "RFC 1123"},
      {"name: a.b", "metadata.name"},
      {"name: 5", "metadata.name", "must be a string"},
      {long_name, "metadata.name"},
      {"namespace: x", "metadata.name", "is required"},
      {"name: a\n  namespace: B", "metadata.namespace"},
      {"name: a\n  labels: {a: b}", ""},
      {"name: a\n  labels: {'a b': b}", "metadata.labels[\"a b\"]"},
      {"name: a\n  labels: {a: 'b c'}", "metadata.labels.a"},
      {"name: a\n  labels: {krypton.ai/agent: b}", "metadata.labels[\"krypton.ai/agent\"]",
       "reserved"},
      {"name: a\n  uid: x\n  resourceVersion: '3'\n  managedFields: []", ""},
      {"name: a\n  lables: {}", "metadata.lables", "did you mean \"labels\"?"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.spec));
    ExpectVerdict({row.spec, row.field, row.text, Target::kCluster},
                  fmt::format("apiVersion: krypton.ai/v1alpha1\nkind: Agent\nmetadata:\n  {}\n"
                              "spec:\n  image: i\n",
                              row.spec));
  }
}

TEST(RulesTest, AnnotationsAndTheLocalCommand) {
  const std::string key = "metadata.annotations[\"krypton.ai/local-command\"]";
  const Row rows[] = {
      {"krypton.ai/local-command: run", ""},
      {"other.example/x: '1'", key, "is required on one machine"},
      {"other.example/x: '1'", "", "", Target::kCluster},
      {"krypton.ai/local-command: ' '", key, "is empty"},
      {"krypton.ai/local-command: 5", key, "must be a string"},
      {"krypton.ai/local-comand: run", "metadata.annotations[\"krypton.ai/local-comand\"]",
       "did you mean \"krypton.ai/local-command\"?", Target::kCluster},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.spec));
    ExpectVerdict(row,
                  fmt::format("apiVersion: krypton.ai/v1alpha1\nkind: Agent\nmetadata:\n  name: "
                              "echo\n  annotations:\n    {}\nspec:\n  image: i\n",
                              row.spec));
  }
}

TEST(RulesTest, ImageIsRequired) {
  for (const Target target : {Target::kLocal, Target::kCluster}) {
    for (const char* spec : {"spec: {}", "spec: {image: ''}", ""}) {
      ExpectVerdict({spec, "spec.image", "is required", target},
                    fmt::format("apiVersion: krypton.ai/v1alpha1\nkind: Agent\nmetadata:\n  name: "
                                "echo\n  annotations: {{krypton.ai/local-command: run}}\n{}\n",
                                spec));
    }
  }
}

TEST(RulesTest, Models) {
  constexpr auto kCluster = Target::kCluster;
  const Row rows[] = {
      {"source: {huggingface: a/b, file: c.gguf}", "", "", kCluster},
      {"source: {huggingface: a/b}", "", "", kCluster},
      {"source: {path: ./m.gguf}", ""},
      {"source: {path: ./m.gguf}", "spec.source.path", "one machine only", kCluster},
      {"source: {huggingface: a/b, path: m}", "spec.source.path", "excludes huggingface"},
      {"source: {file: c}", "spec.source", "is required"},
      {"source: {path: m, file: c}", "spec.source.file", "needs huggingface"},
      {"{}", "spec.source", "is required"},
      {"source: {huggingface: ab}", "spec.source.huggingface"},
      {"source: {huggingface: a/b/c}", "spec.source.huggingface"},
      {"source: {huggingface: a/b, file: ../c}", "spec.source.file"},
      {"source: {huggingface: a/b, rev: c}", "spec.source.rev", "not a known field"},
      {"source: {path: m}\n  runtime: vllm", "spec.runtime"},
      {"source: {path: m}\n  usage: never", "spec.usage", "observe, always"},
      {"source: {path: m}\n  cache: {size: 1Gi, claimName: c}", "spec.cache.size"},
      {"source: {path: m}\n  cache: {size: big}", "spec.cache.size"},
      {"source: {path: m}\n  minReplicas: 2", "spec.minReplicas", "which is 1"},
      {"source: {path: m}\n  args: [1]", "spec.args[0]", "put it in quotes"},
      {"source: {path: m}\n  protocol: mcp", "spec.protocol", "not a known field"},
      {"source: {path: m}\n  affinity: {nodeAffinity: {}}", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.spec));
    ExpectVerdict(row, fmt::format("apiVersion: krypton.ai/v1alpha1\nkind: Model\nmetadata:\n  "
                                   "name: m\n  annotations: {{krypton.ai/local-command: run}}\n"
                                   "spec:{}{}\n",
                                   row.spec[0] == '{' ? " " : "\n  ", row.spec));
  }
}

TEST(RulesTest, TypeAndVersion) {
  const struct {
    std::string_view yaml;
    std::string_view field;
    std::string_view text;
  } rows[] = {
      {"kind: Agent\nmetadata: {name: a}\nspec: {image: i}", "apiVersion", "is missing"},
      {"apiVersion: v1\nkind: Agent", "apiVersion", "\"v1\" is not krypton.ai/v1alpha1"},
      {"apiVersion: krypton.ai/v1alpha1\nkind: agent", "kind", "did you mean \"Agent\"?"},
      {"apiVersion: krypton.ai/v1alpha1\nkind: Pod", "kind", "\"Pod\" is not Agent or Model"},
      {"apiVersion: krypton.ai/v1alpha1", "kind", "is missing: Agent or Model"},
      {"just text", "", "must be a mapping"},
      {"- a", "", "must be a mapping"},
  };
  for (const auto& row : rows) {
    const Manifest manifest = ParseManifest("f", row.yaml, Target::kCluster);
    ASSERT_EQ(manifest.problems.size(), 1u) << row.yaml;
    EXPECT_EQ(manifest.problems[0].field(), row.field);
    EXPECT_THAT(manifest.problems[0].reason(), testing::HasSubstr(std::string(row.text)));
  }
}

TEST(RulesTest, EveryRuleSaysWhichFieldItIsAbout) {
  for (const Rule& rule : Rules()) {
    EXPECT_TRUE(std::string_view(rule.field).starts_with("metadata.") ||
                std::string_view(rule.field).starts_with("spec."))
        << rule.field;
  }
  EXPECT_GT(Rules().size(), 30u);
}

}  // namespace
}  // namespace krypton::resource
