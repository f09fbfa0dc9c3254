#include "manager/platform/local/launch.h"

#include <filesystem>
#include <fstream>

#include "common/resource/manifest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace krypton::platform {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class LaunchTest : public ::testing::Test {
 protected:
  LaunchTest() {
    const auto manifest = resource::ParseManifest(
        "f",
        "apiVersion: krypton.ai/v1alpha1\nkind: Agent\nmetadata:\n  name: echo\n  annotations: "
        "{krypton.ai/local-command: \"run it\"}\nspec:\n  image: i\n  concurrency: 3\n  timeout: "
        "90s\n  args: [a, 'b c']\n  env:\n  - {name: A, value: \"x=y\"}\n  - {name: B, valueFrom: "
        "{secretKeyRef: {name: s, key: k}}}\n  - {name: LANG, value: own}\n",
        resource::Target::kLocal);
    EXPECT_EQ(manifest.resources.size(), 1u);
    agent_ = manifest.resources[0].resource;
    settings_.proxy_binary = "/bin/proxy";
    settings_.manager_address = "127.0.0.1:7070";
    settings_.proxy_flags = {"--tls-cert", "c"};
    record_.instance = "id";
    record_.agent_port = 20001;
    record_.grace = std::chrono::seconds(90);
  }

  // The values of one name in the spec, in order.
  std::vector<std::string> Values(const std::string& name) {
    const std::string spec = SupervisorSpec(
        {*agent_, record_, "/manifests", "/state/id", "token", {"LANG=C", "PATH=/bin"}}, settings_);
    std::vector<std::string> values;
    for (size_t at = 0; at < spec.size();) {
      const std::string record = spec.c_str() + at;
      at += record.size() + 1;
      if (record.starts_with(name + "=")) values.push_back(record.substr(name.size() + 1));
    }
    return values;
  }

  std::shared_ptr<const resource::Resource> agent_;
  LocalSettings settings_;
  ReplicaRecord record_;
};

TEST_F(LaunchTest, TheAgentsCommand) {
  EXPECT_THAT(Values("agent-arg"),
              ElementsAre("/bin/sh", "-c", "exec run it", "krypton-agent", "a", "b c"));
  EXPECT_THAT(Values("agent-folder"), ElementsAre("/manifests"));
}

class ModelLaunchTest : public LaunchTest {
 protected:
  // `spec`: more lines, each with its end.
  void Declare(const std::string& annotations, const std::string& spec) {
    const auto manifest = resource::ParseManifest(
        "f",
        "apiVersion: krypton.ai/v1alpha1\nkind: Model\nmetadata:\n  name: tiny\n" + annotations +
            "spec:\n  source: {path: tiny.gguf}\n" + spec,
        resource::Target::kLocal);
    ASSERT_EQ(manifest.resources.size(), 1u);
    agent_ = manifest.resources[0].resource;
  }
  // What is missing; empty: nothing.
  std::string Missing(const std::string& path, const std::string& folder) {
    const absl::Status status =
        CheckNeeds({*agent_, record_, folder, "/state/id", "token", {"PATH=" + path}}, settings_);
    return std::string(status.message());
  }
};

TEST_F(ModelLaunchTest, LlamaServerWithTheFlagsOfACluster) {
  Declare("", "  concurrency: 2\n  args: [--ctx-size, '512']\n");
  EXPECT_THAT(Values("agent-arg"),
              ElementsAre("/bin/sh", "-c", "exec llama-server \"$@\"", "krypton-agent", "--host",
                          "127.0.0.1", "--port", "20001", "--alias", "tiny", "--model", "tiny.gguf",
                          "--parallel", "2", "--ctx-size", "512"));
  EXPECT_THAT(Values("proxy-arg"), Contains("--kind=model"));
}

TEST_F(ModelLaunchTest, ACommandOfItsOwnMayTakeTheFlags) {
  Declare("  annotations: {krypton.ai/local-command: python3 serve.py \"$@\"}\n", "");
  EXPECT_THAT(Values("agent-arg"),
              ElementsAre("/bin/sh", "-c", "exec python3 serve.py \"$@\"", "krypton-agent",
                          "--host", "127.0.0.1", "--port", "20001", "--alias", "tiny", "--model",
                          "tiny.gguf", "--parallel", "4"));
  EXPECT_EQ(Missing("/nowhere", "/nowhere"), "") << "what it needs is its own business";
}

TEST_F(ModelLaunchTest, WhatIsMissingIsSaidWithTheNextStep) {
  Declare("", "");
  const std::string folder = ::testing::TempDir() + "/launch_test";
  std::filesystem::create_directories(folder);
  EXPECT_THAT(Missing("/nowhere:" + folder, folder),
              AllOf(StartsWith("llama-server is not on the PATH: install"),
                    HasSubstr("krypton.ai/local-command")));
  std::ofstream(folder + "/llama-server") << "#!/bin/sh\n";
  std::filesystem::permissions(folder + "/llama-server", std::filesystem::perms::owner_all);
  EXPECT_THAT(Missing("/nowhere:" + folder, folder),
              AllOf(StartsWith("spec.source.path: "), HasSubstr("tiny.gguf does not exist: put")));
  std::ofstream(folder + "/tiny.gguf") << "GGUF";
  EXPECT_EQ(Missing("/nowhere:" + folder, folder), "");
  std::filesystem::remove_all(folder);
}

TEST_F(LaunchTest, TheAgentsEnvironment) {
  EXPECT_THAT(Values("agent-env"),
              ElementsAre("A=x=y", "LANG=own", "PORT=20001",
                          "KRYPTON_PUBLIC_URL=http://127.0.0.1:8080/v1/agents/default/echo",
                          "KRYPTON_INSTANCE=id", "PATH=/bin", "PYTHONUNBUFFERED=1"));
}

TEST_F(LaunchTest, TheTokenIsTheSidecarsAlone) {
  EXPECT_THAT(Values("proxy-env"), ElementsAre("LANG=C", "PATH=/bin", "KRYPTON_DRAIN_TOKEN=token"));
  EXPECT_THAT(Values("agent-env"), Not(Contains(::testing::HasSubstr("token"))));
  EXPECT_THAT(Values("proxy-arg"), Not(Contains(::testing::HasSubstr("token"))));
}

TEST_F(LaunchTest, TheSidecarsCommand) {
  EXPECT_THAT(Values("proxy-arg"),
              ElementsAre("/bin/proxy", "--http-bind-address=127.0.0.1:0",
                          "--metrics-bind-address=127.0.0.1:0", "--agent-address=127.0.0.1:20001",
                          "--kind=agent", "--namespace=default", "--name=echo", "--instance=id",
                          "--concurrency=3", "--max-streams=256", "--timeout=1m30s",
                          "--manager-address=127.0.0.1:7070", "--drain-timeout=1m30s",
                          "--ready-file=/state/id/proxy.json", "--tls-cert", "c"));
}

TEST_F(LaunchTest, WhatIsInherited) {
  char path[] = "PATH=/bin", locale[] = "LC_ALL=C", secret[] = "AWS_SECRET=x",
       own[] = "KRYPTON_STATE_DIR=/x", odd[] = "PATHS=1";
  char* environment[] = {path, locale, secret, own, odd, nullptr};
  EXPECT_THAT(InheritedEnvironment(environment), ElementsAre("PATH=/bin", "LC_ALL=C"));
}

TEST_F(LaunchTest, TheTemplateNamesWhatProcessesAreTold) {
  const std::string before = TemplateOf(*agent_, "/manifests", settings_);
  v1::Agent edited = *agent_->agent();
  edited.mutable_spec()->set_max_replicas(99);
  EXPECT_EQ(TemplateOf(resource::Resource(edited), "/manifests", settings_), before);
  EXPECT_NE(TemplateOf(*agent_, "/elsewhere", settings_), before);
  edited.mutable_spec()->set_concurrency(99);
  EXPECT_NE(TemplateOf(resource::Resource(edited), "/manifests", settings_), before);
  settings_.manager_address = "127.0.0.1:1";
  EXPECT_NE(TemplateOf(*agent_, "/manifests", settings_), before);
}

TEST_F(LaunchTest, OneProgramIsExecuted) {
  const std::pair<std::string, std::string> rows[] = {
      {"python3 a.py", "exec python3 a.py"},
      {"  ./run.sh \"$@\" --x='a b' > log", "exec ./run.sh \"$@\" --x='a b' > log"},
      {"python3 a.py\n", "exec python3 a.py"},
      {"a && b", "a && b"},
      {"a; b", "a; b"},
      {"a\nb", "a\nb"},
      {"a | b", "a | b"},
      {"(a)", "(a)"},
      {"exec a", "exec a"},
      {"cd x", "cd x"},
      {"exit 3", "exit 3"},
      {"A=1 b", "A=1 b"},
      {"\"my program\" x", "\"my program\" x"},
      {"$PROGRAM", "$PROGRAM"},
      {"# nothing", "# nothing"},
      {"", ""},
  };
  for (const auto& [command, expected] : rows) EXPECT_EQ(ShellCommand(command), expected);
}

TEST_F(LaunchTest, PublicUrls) {
  EXPECT_EQ(PublicUrl(*agent_, "https://mesh.example"),
            "https://mesh.example/v1/agents/default/echo");
}

}  // namespace
}  // namespace krypton::platform
