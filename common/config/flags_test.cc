#include "common/config/flags.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "common/config/known_environment.h"

namespace krypton::config {
namespace {

using namespace std::chrono_literals;

struct Settings {
  std::string address = ":8080";
  bool scaler = true;
  int hops = 16;
  double target = 0.8;
  std::chrono::milliseconds timeout = 60s;
  std::vector<std::string> proxies;
  std::vector<std::string> headers;
  std::string format = "auto";
};

class FlagsTest : public ::testing::Test {
 protected:
  FlagsTest() {
    flags_.Add(&settings_.address, "http-bind-address", "where clients call", "HOST:PORT");
    flags_.Add(&settings_.scaler, "enable-scaler", "scale");
    flags_.Add(&settings_.hops, "max-hops", "gateways in a row");
    flags_.Add(&settings_.target, "scaler-target-utilization", "how full");
    flags_.Add(&settings_.timeout, "timeout", "for an answer");
    flags_.Add(&settings_.proxies, "trusted-proxies", "who may say X-Forwarded-For", "CIDR,...");
    flags_.AddRepeated(&settings_.headers, "header,H", "a header", "NAME: VALUE");
    flags_.AddChoice(&settings_.format, "log-format", {"auto", "text", "json"}, "how it looks");
  }
  ~FlagsTest() override {
    for (const std::string& name : set_) unsetenv(name.c_str());
  }

  std::optional<int> Parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "krypton-test");
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    const auto result = flags_.Parse(static_cast<int>(arguments.size()), arguments.data());
    stdout_ = testing::internal::GetCapturedStdout();
    stderr_ = testing::internal::GetCapturedStderr();
    return result;
  }
  void SetEnvironment(const std::string& name, const char* value) {
    setenv(name.c_str(), value, 1);
    set_.push_back(name);
  }
  // Requires that these arguments end with status 2 and `named` on stderr only.
  void ExpectUsageError(std::vector<const char*> arguments, const std::string& named) {
    EXPECT_EQ(Parse(arguments), 2);
    EXPECT_NE(stderr_.find(named), std::string::npos) << stderr_;
    EXPECT_EQ(stdout_, "");
  }

  Settings settings_;
  Flags flags_{"krypton-test", "Tests flags."};
  std::string stdout_;
  std::string stderr_;
  std::vector<std::string> set_;
};

TEST_F(FlagsTest, DefaultsStayWithoutArguments) {
  ASSERT_EQ(Parse({}), std::nullopt) << stderr_;
  EXPECT_EQ(settings_.address, ":8080");
  EXPECT_TRUE(settings_.scaler);
  EXPECT_EQ(settings_.timeout, 60s);
}

TEST_F(FlagsTest, EachKindIsRead) {
  ASSERT_EQ(Parse({"--http-bind-address", "127.0.0.1:0", "--no-enable-scaler", "--max-hops=3",
                   "--scaler-target-utilization", "0.5", "--timeout", "1m30s", "--trusted-proxies",
                   "10.0.0.0/8,::1/128", "--trusted-proxies", "127.0.0.1/32", "-H", "a: b, c",
                   "--header", "d: e", "--log-format=json"}),
            std::nullopt)
      << stderr_;
  EXPECT_EQ(settings_.address, "127.0.0.1:0");
  EXPECT_FALSE(settings_.scaler);
  EXPECT_EQ(settings_.hops, 3);
  EXPECT_DOUBLE_EQ(settings_.target, 0.5);
  EXPECT_EQ(settings_.timeout, 90s);
  EXPECT_EQ(settings_.proxies, (std::vector<std::string>{"10.0.0.0/8", "::1/128", "127.0.0.1/32"}));
  EXPECT_EQ(settings_.headers, (std::vector<std::string>{"a: b, c", "d: e"}));
  EXPECT_EQ(settings_.format, "json");
}

TEST_F(FlagsTest, BooleansTakeAValueBehindEquals) {
  ASSERT_EQ(Parse({"--enable-scaler=false"}), std::nullopt) << stderr_;
  EXPECT_FALSE(settings_.scaler);
}

TEST_F(FlagsTest, EnvironmentStandsBetweenDefaultAndFlag) {
  SetEnvironment("KRYPTON_MAX_HOPS", "5");
  SetEnvironment("KRYPTON_TIMEOUT", "1s");
  SetEnvironment("KRYPTON_ENABLE_SCALER", "false");
  SetEnvironment("KRYPTON_TRUSTED_PROXIES", "10.0.0.0/8,::1/128");
  ASSERT_EQ(Parse({"--max-hops", "6"}), std::nullopt) << stderr_;
  EXPECT_EQ(settings_.hops, 6);
  EXPECT_EQ(settings_.timeout, 1s);
  EXPECT_FALSE(settings_.scaler);
  EXPECT_EQ(settings_.proxies.size(), 2u);
}

TEST_F(FlagsTest, AnEmptyVariableIsUnset) {
  SetEnvironment("KRYPTON_MAX_HOPS", "");
  SetEnvironment("KRYPTON_SOMETHING_ELSE", "");
  ASSERT_EQ(Parse({}), std::nullopt) << stderr_;
  EXPECT_EQ(settings_.hops, 16);
}

TEST_F(FlagsTest, MistakesEndWithTwoAndTheirName) {
  ExpectUsageError({"--max-hop", "3"}, "--max-hop");
  ExpectUsageError({"--max-hops", "3", "--max-hops", "4"}, "--max-hops");
  ExpectUsageError({"--enable-scaler", "--no-enable-scaler"}, "--enable-scaler");
  ExpectUsageError({"--max-hops", "many"}, "--max-hops");
  ExpectUsageError({"--max-hops"}, "--max-hops");
  ExpectUsageError({"--enable-scaler=maybe"}, "enable-scaler");
  ExpectUsageError({"--timeout", "5"}, "--timeout");
  ExpectUsageError({"--timeout", "-5s"}, "--timeout");
  ExpectUsageError({"--log-format", "xml"}, "auto,text,json");
  ExpectUsageError({"--scaler-target-utilization", "nan"}, "--scaler-target-utilization");
  ExpectUsageError({"stray"}, "stray");
  ExpectUsageError({"--http-bind-address", "nonsense:port"}, "--http-bind-address");
  ExpectUsageError({"--http-bind-address", "127.0.0.1:70000"}, "--http-bind-address");
}

TEST_F(FlagsTest, AVariableThatNobodyKnowsEndsWithTwo) {
  SetEnvironment("KRYPTON_MAX_HOPPS", "5");
  ExpectUsageError({}, "KRYPTON_MAX_HOPPS");
}

TEST_F(FlagsTest, AWrongVariableIsNamed) {
  SetEnvironment("KRYPTON_MAX_HOPS", "x");
  ExpectUsageError({}, "KRYPTON_MAX_HOPS");
}

TEST_F(FlagsTest, AVariableOfAnotherBinaryOrOfAServiceIsNoMistake) {
  SetEnvironment("KRYPTON_DRAIN_TOKEN", "secret");
  SetEnvironment("KRYPTON_GATEWAY_SERVICE_HOST", "10.0.0.1");
  SetEnvironment("KRYPTON_GATEWAY_PORT_8080_TCP_ADDR", "10.0.0.1");
  SetEnvironment("KRYPTON_GATEWAY_PORT", "tcp://10.0.0.1:8080");
  EXPECT_EQ(Parse({}), std::nullopt) << stderr_;
  EXPECT_FALSE(IsKnownEnvironment("KRYPTON_TYPO"));
}

TEST_F(FlagsTest, HelpGoesToStdoutAndNamesEachFlagAndDefault) {
  EXPECT_EQ(Parse({"--help"}), 0);
  EXPECT_EQ(stderr_, "");
  for (const char* text : {"Usage: krypton-test", "Tests flags.", "--http-bind-address HOST:PORT",
                           "(default: :8080)", "--[no-]enable-scaler", "(default: 1m)",
                           "-H, --header", "auto|text|json", "[KRYPTON_MAX_HOPS]"}) {
    EXPECT_NE(stdout_.find(text), std::string::npos) << text << " in\n" << stdout_;
  }
}

TEST_F(FlagsTest, VersionGoesToStdout) {
  EXPECT_EQ(Parse({"--version"}), 0);
  EXPECT_TRUE(stdout_.starts_with("krypton-test 0.")) << stdout_;
  EXPECT_NE(stdout_.find("(commit "), std::string::npos);
}

TEST_F(FlagsTest, EffectiveValuesAreToldByName) {
  ASSERT_EQ(Parse({"--max-hops", "3"}), std::nullopt);
  const auto values = flags_.Effective();
  EXPECT_EQ(values.at(2), (std::pair<std::string, std::string>("max-hops", "3")));
}

class CommandsTest : public ::testing::Test {
 protected:
  CommandsTest() {
    Flags& get = flags_.AddCommand("get", "Shows resources.");
    get.AddPositional(&what_, "WHAT", "agents or models");
    get.AddPositional(&name_, "NAME", "only this one", false);
    get.Add(&namespace_, "namespace,n", "only this one");
    Flags& up = flags_.AddCommand("up", "Starts the mesh.");
    up.AddPositional(&dirs_, "DIR", "folders of manifests");
  }
  std::optional<int> Parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "krypton");
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    const auto result = flags_.Parse(static_cast<int>(arguments.size()), arguments.data());
    output_ = testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
    return result;
  }

  Flags flags_{"krypton", "Runs agents."};
  std::string what_;
  std::string name_;
  std::string namespace_;
  std::vector<std::string> dirs_;
  std::string output_;
};

TEST_F(CommandsTest, TheGivenOneGetsItsArguments) {
  ASSERT_EQ(Parse({"get", "agents", "-n", "default"}), std::nullopt) << output_;
  EXPECT_EQ(flags_.command(), "get");
  EXPECT_EQ(what_, "agents");
  EXPECT_EQ(name_, "");
  EXPECT_EQ(namespace_, "default");
}

TEST_F(CommandsTest, EachPositionalTakesOne) {
  ASSERT_EQ(Parse({"get", "agents", "echo"}), std::nullopt) << output_;
  EXPECT_EQ(what_, "agents");
  EXPECT_EQ(name_, "echo");
  EXPECT_EQ(Parse({"get", "agents", "echo", "more"}), 2);
}

TEST_F(CommandsTest, AListTakesAllThatRemain) {
  ASSERT_EQ(Parse({"up", "a", "b"}), std::nullopt) << output_;
  EXPECT_EQ(dirs_, (std::vector<std::string>{"a", "b"}));
}

TEST_F(CommandsTest, MissingOrUnknownOnesAreMistakes) {
  EXPECT_EQ(Parse({}), 2);
  EXPECT_EQ(Parse({"gett", "agents"}), 2);
  EXPECT_EQ(output_,
            "krypton: unknown command: gett; did you mean \"get\"?\n"
            "Run 'krypton --help' for its commands.\n");
  EXPECT_EQ(Parse({"help", "gett"}), 2);
  EXPECT_EQ(Parse({"get"}), 2);
  EXPECT_NE(output_.find("WHAT"), std::string::npos) << output_;
  EXPECT_EQ(Parse({"up"}), 2);
}

TEST_F(CommandsTest, WhatCannotBePlacedIsNamedAsItWasWritten) {
  EXPECT_EQ(Parse({"get", "agents", "--output", "json"}), 2);
  EXPECT_TRUE(output_.starts_with("krypton get: unknown flag: --output\n")) << output_;
  EXPECT_EQ(Parse({"get", "agents", "--namespac=default"}), 2);
  EXPECT_TRUE(
      output_.starts_with("krypton get: unknown flag: --namespac; did you mean \"--namespace\"?\n"))
      << output_;
  EXPECT_EQ(Parse({"get", "agents", "echo", "more", "words"}), 2);
  EXPECT_TRUE(output_.starts_with("krypton get: unexpected argument: more\n")) << output_;
}

TEST_F(CommandsTest, WithoutAnyTheHelpListsThem) {
  EXPECT_EQ(Parse({}), 2);
  EXPECT_NE(output_.find("Shows resources."), std::string::npos) << output_;
  EXPECT_NE(output_.find("Starts the mesh."), std::string::npos) << output_;
}

TEST_F(CommandsTest, HelpOfOneIsItsOwn) {
  EXPECT_EQ(Parse({"get", "--help"}), 0);
  EXPECT_NE(output_.find("Usage: krypton get WHAT"), std::string::npos) << output_;
  EXPECT_EQ(Parse({"--help"}), 0);
  EXPECT_NE(output_.find("  up   Starts the mesh."), std::string::npos) << output_;
  const std::string help = output_;
  EXPECT_EQ(Parse({"help"}), 0);
  EXPECT_EQ(output_, help);
  EXPECT_EQ(Parse({"help", "get"}), 0);
  EXPECT_NE(output_.find("Usage: krypton get WHAT"), std::string::npos) << output_;
}

}  // namespace
}  // namespace krypton::config
