#include "cli/completion.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace krypton::cli {
namespace {

class CompletionTest : public ::testing::TestWithParam<const char*> {
 protected:
  CompletionTest() {
    config::Flags& get = flags_.AddCommand("get", "Shows what's there.");
    get.AddChoice(&output_, "output,o", {"table", "json"}, "how [it] is: printed");
    get.Add(&watch_, "watch,w", "go on");
    config::Flags& up = flags_.AddCommand("up", "Starts.");
    up.Add(&name_, "host", "where");
    flags_.AddCommand("invoke", "Calls.");
    flags_.AddCommand("chat", "Talks.");
  }

  config::Flags flags_{"krypton", "Test."};
  std::string output_ = "table";
  std::string name_;
  bool watch_ = false;
};

TEST_P(CompletionTest, NamesCommandsFlagsAndChoices) {
  const std::string script = CompletionScript(GetParam(), flags_.Describe());
  for (const char* text : {"krypton", "get", "invoke", "output", "watch", "table json", "host"}) {
    EXPECT_NE(script.find(text), std::string::npos) << text << " in\n" << script;
  }
}

TEST_P(CompletionTest, ItsShellCanReadIt) {
  const std::string shell = GetParam();
  if (system(("command -v " + shell + " >/dev/null").c_str()) != 0) GTEST_SKIP() << "no " << shell;
  FILE* reader = popen((shell + " -n").c_str(), "w");
  ASSERT_NE(reader, nullptr);
  fputs(CompletionScript(shell, flags_.Describe()).c_str(), reader);
  EXPECT_EQ(pclose(reader), 0);
}

INSTANTIATE_TEST_SUITE_P(Shells, CompletionTest, ::testing::Values("bash", "zsh", "fish"),
                         [](const auto& shell) { return std::string(shell.param); });

}  // namespace
}  // namespace krypton::cli
