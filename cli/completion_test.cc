#include "cli/completion.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

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

// The words that `shell` offers behind `krypton get agents `, when `krypton get KIND` prints
// KIND/hello.
std::string OfferedBehindAgents(const std::string& shell, const std::string& script) {
  const std::string path = testing::TempDir() + "completion." + std::to_string(getpid());
  std::ofstream(path) << script;
  const std::string fake = "printf 'NAMESPACE NAME\\n%s hello\\n%s hello\\n' \\$";
  const std::string command =
      shell == "fish"
          ? "fish --no-config -c \"function krypton; " + fake + "argv[2] \\$argv[2]; end; source " +
                path + "; complete -C 'krypton get agents '\""
          : "bash --norc -c \"krypton() { " + fake + "2 \\$2; }; source " + path +
                "; COMP_WORDS=(krypton get agents ''); COMP_CWORD=3; _krypton; "
                "echo \\${COMPREPLY[@]}\"";
  FILE* output = popen(command.c_str(), "r");
  if (output == nullptr) return "";
  char text[256] = {};
  const size_t size = fread(text, 1, sizeof text, output);
  pclose(output);
  unlink(path.c_str());
  return std::string(text, size);
}

TEST_P(CompletionTest, NamesComeBehindTheirKind) {
  const std::string shell = GetParam();
  const std::string script = CompletionScript(shell, flags_.Describe());
  EXPECT_NE(script.find("krypton_names agents models"), std::string::npos) << script;
  if (shell == "zsh") {
    EXPECT_NE(script.find("'1:argument:(agents models endpoints)' \"2:name:"), std::string::npos)
        << script;
    return;
  }
  if (system(("command -v " + shell + " >/dev/null").c_str()) != 0) GTEST_SKIP() << "no " << shell;
  EXPECT_EQ(OfferedBehindAgents(shell, script), "agents/hello\n");
}

INSTANTIATE_TEST_SUITE_P(Shells, CompletionTest, ::testing::Values("bash", "zsh", "fish"),
                         [](const auto& shell) { return std::string(shell.param); });

}  // namespace
}  // namespace krypton::cli
