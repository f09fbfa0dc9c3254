// Each object as it must be: testdata/*.json. KRYPTON_WRITE_GOLDEN=1 writes them anew.
#include "manager/platform/kubernetes/objects/children.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "boost/json/serialize.hpp"
#include "manager/platform/kubernetes/objects/json.h"
#include "manager/platform/kubernetes/objects/testing.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;

constexpr char kSmallAgent[] = R"(
apiVersion: krypton.ai/v1alpha1
kind: Agent
metadata: {name: echo, namespace: default}
spec: {image: example.com/echo:1}
)";

// Everything that may be said of a pod.
constexpr char kFullAgent[] = R"(
apiVersion: krypton.ai/v1alpha1
kind: Agent
metadata: {name: full, namespace: team-a}
spec:
  image: example.com/full:2
  imagePullPolicy: Always
  imagePullSecrets: [{name: registry}]
  port: 9000
  concurrency: 3
  timeout: 90s
  maxStreams: 7
  serviceAccountName: robot
  command: [/bin/agent]
  args: ["--verbose"]
  env:
    - {name: MODE, value: "fast"}
    - name: SECRET
      valueFrom: {secretKeyRef: {name: mine, key: token}}
  envFrom: [{configMapRef: {name: settings}}]
  resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 1Gi}}
  volumes: [{name: data, emptyDir: {}}]
  volumeMounts: [{name: data, mountPath: /data}]
  livenessProbe: {httpGet: {path: /live, port: http}, periodSeconds: 20}
  readinessProbe: {httpGet: {path: /ready, port: 9000}}
  startupProbe: {tcpSocket: {port: http}, failureThreshold: 30}
  securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
  podSecurityContext: {runAsNonRoot: true, runAsUser: 1000}
  runtimeClassName: gvisor
  priorityClassName: high
  nodeSelector: {disk: ssd}
  tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}]
  affinity: {header: x-session, nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]
  podLabels: {tier: gold}
  podAnnotations: {prometheus.io/scrape: "false"}
)";

constexpr char kModel[] = R"(
apiVersion: krypton.ai/v1alpha1
kind: Model
metadata: {name: gemma, namespace: default}
spec:
  source: {huggingface: ggml-org/gemma-3-270m-GGUF, file: gemma.gguf}
  startupTimeout: 61s
  args: ["--ctx-size", "4096"]
  cache: {claimName: weights}
)";

class ChildrenTest : public testing::Test {
 protected:
  ChildrenTest() {
    settings_.proxy_image = "ghcr.io/krypton-ai/krypton-proxy:1.0.0";
    settings_.manager_address = "krypton-manager.krypton-system.svc:7070";
    settings_.tls_server_name = "krypton-manager.krypton-system.svc";
    settings_.gateway_url = "http://krypton-gateway.krypton-system.svc:8080";
    parts_ = {.replicas = 2, .drain_token = "d0d0", .secret_uid = "secret-1", .certificate = "c1"};
  }

  // One key a line, so that a difference is seen.
  static void Print(const json::value& value, const std::string& indent, std::string* text) {
    if (value.is_object() && !value.get_object().empty()) {
      *text += "{\n";
      const char* separator = "";
      for (const auto& [key, item] : value.get_object()) {
        *text += separator + indent + "  " + json::serialize(json::string(key)) + ": ";
        Print(item, indent + "  ", text);
        separator = ",\n";
      }
      *text += "\n" + indent + "}";
    } else if (value.is_array() && !value.get_array().empty()) {
      *text += "[\n";
      const char* separator = "";
      for (const json::value& item : value.get_array()) {
        *text += separator + indent + "  ";
        Print(item, indent + "  ", text);
        separator = ",\n";
      }
      *text += "\n" + indent + "]";
    } else {
      *text += json::serialize(value);
    }
  }

  static void ExpectGolden(const std::string& name, const json::object& object) {
    std::string text;
    Print(object, "", &text);
    text += "\n";
    const std::string path = std::string(std::getenv("KRYPTON_SOURCE_DIR")) +
                             "/manager/platform/kubernetes/objects/testdata/" + name + ".json";
    if (std::getenv("KRYPTON_WRITE_GOLDEN") != nullptr) std::ofstream(path) << text;
    std::ifstream file(path);
    const std::string golden{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(text, golden) << path;
  }

  ObjectSettings settings_;
  DeploymentParts parts_;
};

TEST_F(ChildrenTest, ASmallAgent) {
  const auto agent = FromYaml(kSmallAgent);
  ExpectGolden("agent-deployment", DeploymentFor(*agent, settings_, parts_));
  ExpectGolden("agent-service", ServiceFor(*agent));
  ExpectGolden("agent-service-account", ServiceAccountFor(*agent));
  SidecarCertificate certificate{.certificate = "C", .key = "K", .authority = "A", .expires = {}};
  ExpectGolden("agent-secret", SecretFor(*agent, certificate, "d0d0"));
}

TEST_F(ChildrenTest, AnAgentThatSaysAllOfItsPod) {
  ExpectGolden("full-agent-deployment", DeploymentFor(*FromYaml(kFullAgent), settings_, parts_));
}

TEST_F(ChildrenTest, AModel) {
  ExpectGolden("model-deployment", DeploymentFor(*FromYaml(kModel), settings_, parts_));
}

TEST_F(ChildrenTest, TheSameThingIsTheSameTextEachTime) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Fingerprint(DeploymentFor(*FromYaml(kFullAgent), settings_, parts_)),
              Fingerprint(DeploymentFor(*FromYaml(kFullAgent), settings_, parts_)));
  }
}

TEST_F(ChildrenTest, WhatPodsDoNotShowDoesNotChangeTheirTemplate) {
  const auto template_of = [&](const std::string& yaml, int replicas) {
    parts_.replicas = replicas;
    const json::object deployment = DeploymentFor(*FromYaml(yaml), settings_, parts_);
    return Fingerprint(*Find(deployment, {"spec", "template"}));
  };
  const std::string small = kSmallAgent;
  const std::string before = template_of(small, 1);
  EXPECT_EQ(template_of(small, 5), before);
  std::string edited = small;
  edited.replace(edited.find("spec: {"), 7, "spec: {maxReplicas: 7, service: false, ");
  EXPECT_EQ(template_of(edited, 1), before);
  edited.replace(edited.find("echo:1"), 6, "echo:2");
  EXPECT_NE(template_of(edited, 1), before);
}

}  // namespace
}  // namespace krypton::kube
