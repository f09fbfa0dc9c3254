// What a stranger may put into a manifest: each ends in a problem that says what, in bounded time.
#include <chrono>
#include <random>

#include "common/resource/manifest.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace krypton::resource {
namespace {

std::string Repeat(std::string_view part, size_t times) {
  std::string text;
  text.reserve(part.size() * times);
  for (size_t i = 0; i < times; ++i) text += part;
  return text;
}

std::string WithAnnotation(std::string_view value) {
  return fmt::format(
      "apiVersion: krypton.ai/v1alpha1\nkind: Agent\nmetadata:\n  name: a\n  annotations: {{x: "
      "{}}}\nspec: {{image: i}}\n",
      value);
}

// One problem with this text.
void ExpectRefused(const std::string& yaml, const std::string& text) {
  const auto begin = std::chrono::steady_clock::now();
  const Manifest manifest = ParseManifest("f", yaml, Target::kCluster);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(took, std::chrono::seconds(20)) << yaml.substr(0, 100);
  ASSERT_EQ(manifest.problems.size(), 1u) << yaml.substr(0, 200);
  EXPECT_THAT(manifest.problems[0].reason(), testing::HasSubstr(text));
  EXPECT_LT(manifest.problems[0].reason().size(), 1000u);
  EXPECT_EQ(manifest.resources.size(), 0u);
}

TEST(HostileYamlTest, Sizes) {
  ExpectRefused(std::string(10 << 20, 'x'), "a file of 10485760 bytes");
  ExpectRefused(WithAnnotation(std::string(300 << 10, 'x')), "a value of 307200 bytes");
  ExpectRefused(Repeat("---\na\n", 10'001), "10001 documents");
  ExpectRefused("a: [" + Repeat("1,", 60'000) + "]", "more than 50000 values");
}

TEST(HostileYamlTest, Depth) {
  ExpectRefused(Repeat("[", 100'000), "nested deeper than 64");
  ExpectRefused(Repeat("{a: ", 100'000), "nested deeper than 64");
  ExpectRefused(Repeat("- ", 10'000) + "a", "nested deeper than 64");
  ExpectRefused(Repeat("? ", 10'000) + "a", "");
  std::string block;
  for (int i = 0; i < 1'000; ++i) block += std::string(i, ' ') + "a:\n";
  ExpectRefused(block, "nested deeper than 64");
}

TEST(HostileYamlTest, Aliases) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 30; ++i) {
    bomb += fmt::format("a{}: &a{} [", i, i) + Repeat(fmt::format("*a{},", i - 1), 9) + "]\n";
  }
  ExpectRefused(bomb, "more than 50000 values, aliases followed");
  ExpectRefused("a: &a [*a]", "the alias stands inside its own anchor");
  ExpectRefused("a: &a {b: {c: *a}}", "the alias stands inside its own anchor");
  ExpectRefused("a: *nobody", "not YAML");
  // An alias that stays small is YAML like any other.
  const Manifest fine = ParseManifest(
      "f",
      "apiVersion: krypton.ai/v1alpha1\nkind: Agent\nmetadata: {name: a}\nspec:\n  image: &i i\n  "
      "runtime: *i\n",
      Target::kCluster);
  EXPECT_EQ(fine.resources.size(), 1u);
}

TEST(HostileYamlTest, Keys) {
  ExpectRefused("a: 1\na: 2", "the key \"a\" comes twice");
  ExpectRefused("? [a]\n: b", "a key must be a plain word, not a list");
  ExpectRefused("? {a: b}\n: b", "a key must be a plain word, not a mapping");
  ExpectRefused("a: &a {b: c}\nd: {<<: *a}", "merge keys");
  ExpectRefused("? \n: b", "a key must be a plain word, not nothing");
}

TEST(HostileYamlTest, Tags) {
  ExpectRefused("a: !!python/object/apply:os.system [ls]", "the tag tag:yaml.org,2002:python");
  ExpectRefused("a: !!binary aGk=", "is not taken");
  ExpectRefused("a: !mine b", "the tag !mine");
}

TEST(HostileYamlTest, Bytes) {
  ExpectRefused("a: \xff\xfe", "not UTF-8");
  ExpectRefused("a: b\n\xc3", "not UTF-8");
  ExpectRefused("a: \xed\xa0\x80", "not UTF-8");  // a surrogate
  ExpectRefused("a: \xc0\xaf", "not UTF-8");      // not the shortest form
  ExpectRefused(std::string("\xff\xfe"
                            "a\0:\0",
                            6),
                "not UTF-8");
  ExpectRefused(std::string("a\0b: c", 6), "");
  ExpectRefused("a: \"\\u0000", "not YAML");
  ExpectRefused("a: b\n c: d", "not YAML");
  ExpectRefused("\ta: b", "");
  ExpectRefused("a: 'b", "not YAML");
  ExpectRefused("a: |99\n b", "");
  EXPECT_EQ(
      ParseManifest("f", "\xef\xbb\xbf" + WithAnnotation("b"), Target::kCluster).resources.size(),
      1u);
}

TEST(HostileYamlTest, AProblemIsOneLineOfPlainText) {
  const Manifest manifest = ParseManifest(
      "f",
      "apiVersion: krypton.ai/v1alpha1\nkind: Agent\nmetadata: {name: a}\nspec: {image: \"a\\nb"
      "\\e[31m\"}\n",
      Target::kCluster);
  ASSERT_EQ(manifest.problems.size(), 1u);
  EXPECT_THAT(manifest.problems[0].reason(), testing::HasSubstr("\"a\\nb\\x1b[31m\""));
}

TEST(HostileYamlTest, NothingIsNothing) {
  for (const char* yaml : {"", "\n", "# a\n", "---\n", "---\n---\n", "...\n", "%YAML 1.2\n---\n",
                           "~", "null\n---\n"}) {
    const Manifest manifest = ParseManifest("f", yaml, Target::kLocal);
    EXPECT_EQ(manifest.problems.size(), 0u) << yaml;
    EXPECT_EQ(manifest.resources.size(), 0u) << yaml;
  }
}

TEST(HostileYamlTest, ManyProblemsAreCounted) {
  const Manifest manifest = ParseManifest("f", Repeat("---\nkind: x\n", 1'000), Target::kLocal);
  EXPECT_EQ(manifest.problems.size(), 101u);
  EXPECT_THAT(manifest.problems.back().reason(), testing::HasSubstr("more problems"));
}

// Bytes replaced, cut out and doubled at random in a manifest that is right.
TEST(HostileYamlTest, MutationsNeverEndTheProcess) {
  const std::string seed =
      "---\napiVersion: krypton.ai/v1alpha1\nkind: Agent\nmetadata:\n  name: a\n  labels: &l {a: "
      "'b', \"c\": d}\nspec:\n  image: >-\n    folded\n    text\n  env:\n  - name: A\n    value: "
      "|\n      b\n  nodeSelector: *l\n  mode: serverless\n  scaleToZeroAfter: 1h30m\n  port: "
      "0x50\n...\n";
  constexpr std::string_view kBytes = "-:{}[]&*!|>'\"%@`#,? \n\t~a0\\<=\xc3\x80";
  std::mt19937 random(20261124);
  for (int round = 0; round < 4'000; ++round) {
    std::string text = seed;
    const int changes = 1 + static_cast<int>(random() % 8);
    for (int i = 0; i < changes && !text.empty(); ++i) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = kBytes[random() % kBytes.size()];
          break;
        case 1:
          text.erase(at, random() % 12);
          break;
        case 2:
          text.insert(at, text.substr(at, random() % 40));
          break;
        default:
          text.insert(at, random() % 4, kBytes[random() % kBytes.size()]);
      }
    }
    const Manifest manifest = ParseManifest("f", text, Target::kLocal);
    for (const auto& resource : manifest.resources) {
      const std::string yaml = ToYaml(*resource.resource->agent());
      ASSERT_EQ(ParseManifest("f", yaml, Target::kLocal).resources.size(), 1u) << text << yaml;
    }
  }
}

}  // namespace
}  // namespace krypton::resource
