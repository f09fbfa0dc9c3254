#include "common/resource/shape.h"

#include <string>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace krypton::resource {
namespace {

// The problems of a spec, each as "field text", in flow style after `spec:`.
std::vector<std::string> ProblemsOf(const std::string& spec,
                                    v1::ResourceKind kind = v1::RESOURCE_KIND_AGENT) {
  const auto tree = ReadYaml({spec, 1});
  if (!std::holds_alternative<YamlNodePtr>(tree)) return {"not YAML"};
  std::vector<std::string> problems;
  for (const FieldProblem& problem : CheckShape(kind, *std::get<YamlNodePtr>(tree))) {
    problems.push_back(problem.field + " " + problem.text);
  }
  return problems;
}

TEST(ShapeTest, WhatKubernetesDefinesIsCheckedToItsLeaves) {
  const struct {
    std::string spec;
    std::string problem;  // Empty: none.
  } rows[] = {
      {"image: i", ""},
      {"volumes: [{name: a, emptyDir: {sizeLimit: 1Gi}}]", ""},
      {"volumes: [{name: a, emptyDir: {sizeLimit: 5}}]", ""},
      {"volumes: [{name: a, emptyDir: {sizeLimit: big}}]",
       "spec.volumes[0].emptyDir.sizeLimit \"big\" is not a quantity like 500m, 1.5 or 1Gi"},
      {"volumes: [{name: a, emptyDir: {sizeLimt: 1Gi}}]",
       "spec.volumes[0].emptyDir.sizeLimt is not a known field; did you mean \"sizeLimit\"?"},
      {"volumes: [{emptyDir: {}}]", "spec.volumes[0].name is required"},
      {"volumes: [{name: a}, {name: a}]", "spec.volumes[1].name \"a\" comes twice"},
      {"volumeMounts: [{name: a, mountPath: /x}, {name: b, mountPath: /x}]",
       "spec.volumeMounts[1].mountPath \"/x\" comes twice"},
      {"livenessProbe: {httpGet: {port: http}}", ""},
      {"livenessProbe: {httpGet: {port: 80}}", ""},
      {"livenessProbe: {httpGet: {port: [80]}}",
       "spec.livenessProbe.httpGet.port must be an integer or a string, not a list"},
      {"livenessProbe: {httpGet: {path: /}}", "spec.livenessProbe.httpGet.port is required"},
      {"livenessProbe: {periodSeconds: 2.5}",
       "spec.livenessProbe.periodSeconds must be an integer, not the number 2.5"},
      {"livenessProbe: {periodSeconds: 3000000000}",
       "spec.livenessProbe.periodSeconds 3000000000 is far out of range"},
      {"securityContext: {runAsUser: 3000000000}", ""},
      {"securityContext: {privileged: 'yes'}",
       "spec.securityContext.privileged must be true or false, not the string \"yes\""},
      {"securityContext: {capabilities: {drop: ALL}}",
       "spec.securityContext.capabilities.drop must be a list, not the string \"ALL\""},
      {"env: [{name: A, valueFrom: {secretKeyRef: {name: s}}}]",
       "spec.env[0].valueFrom.secretKeyRef.key is required"},
      {"tolerations: [{key: gpu, operator: Exists, tolerationSeconds: null}]", ""},
      {"affinity: {header: x, nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {}}}",
       "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
       "nodeSelectorTerms is required"},
      {"resources: {limits: {cpu: 0.5}}",
       "spec.resources.limits.cpu must be an integer or a string, not the number 0.5; put it in "
       "quotes"},
  };
  for (const auto& row : rows) {
    const auto problems = ProblemsOf(row.spec);
    if (row.problem.empty()) {
      EXPECT_THAT(problems, testing::IsEmpty()) << row.spec;
    } else {
      EXPECT_THAT(problems, testing::ElementsAre(row.problem)) << row.spec;
    }
  }
}

TEST(ShapeTest, EveryStringListAndMapHasABound) {
  const std::string long_text(5000, 'x');
  const std::string letters(64, 'e');
  std::string many = "[";
  for (int i = 0; i < 300; ++i) many += fmt::format("'{}',", i);
  EXPECT_THAT(ProblemsOf("image: " + long_text),
              testing::ElementsAre("spec.image has 5000 characters; at most 512"));
  EXPECT_THAT(ProblemsOf("args: " + many + "]"),
              testing::ElementsAre("spec.args has 300 items; at most 256"));
  EXPECT_THAT(
      ProblemsOf("volumes: [{name: a, hostPath: {path: " + long_text + "}}]"),
      testing::ElementsAre("spec.volumes[0].hostPath.path has 5000 characters; at most 4096"));
  EXPECT_THAT(ProblemsOf("nodeSelector: {a: " + letters + "}"),
              testing::ElementsAre("spec.nodeSelector.a has 64 characters; at most 63"));
}

TEST(ShapeTest, CharactersAreCountedNotBytes) {
  std::string umlauts;
  for (int i = 0; i < 256; ++i) umlauts += "ä";
  EXPECT_THAT(ProblemsOf("runtime: " + umlauts), testing::IsEmpty());
  EXPECT_THAT(ProblemsOf("runtime: " + umlauts + "ä"), testing::SizeIs(1));
}

TEST(ShapeTest, ModelsHaveTheirOwn) {
  const auto model = v1::RESOURCE_KIND_MODEL;
  EXPECT_THAT(ProblemsOf("source: {huggingface: a/b}", model), testing::IsEmpty());
  EXPECT_THAT(
      ProblemsOf("{source: {huggingface: a/b}, affinity: {header: x}}", model),
      testing::ElementsAre(testing::HasSubstr("spec.affinity.header is not a known field")));
  EXPECT_THAT(ProblemsOf("{source: {huggingface: a/b}, image: ''}", model),
              testing::ElementsAre("spec.image is empty"));
}

}  // namespace
}  // namespace krypton::resource
