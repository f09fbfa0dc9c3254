// krypton: starts a mesh on this machine, and asks it.
#include "cli/chat.h"
#include "cli/command.h"
#include "cli/completion.h"
#include "cli/echo.h"
#include "cli/get.h"
#include "cli/invoke.h"
#include "cli/logs.h"
#include "cli/up/up.h"
#include "cli/validate.h"
#include "cli/why.h"
#include "common/config/flags.h"
#include "common/config/version.h"

namespace {

using namespace krypton::cli;

int RunVersion() {
  namespace config = krypton::config;
  const bool written =
      Print("krypton " + std::string(config::Version()) + " (commit " +
            std::string(config::Commit()) + ", " + std::string(config::CommitDate()) + ")\n");
  return written ? kOk : kFailed;
}

int RunCompletion(const std::string& shell, const krypton::config::Flags& flags) {
  if (shell != "bash" && shell != "zsh" && shell != "fish") {
    return Fail(
        absl::InvalidArgumentError("no completion for \"" + shell + "\": bash, zsh or fish"));
  }
  return Print(CompletionScript(shell, flags.Describe())) ? kOk : kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  UpOptions up;
  GetOptions get;
  InvokeOptions invoke;
  ChatOptions chat;
  LogsOptions logs;
  WhyOptions why;
  ValidateOptions validate;
  EchoOptions echo;
  std::string shell;

  krypton::config::Flags flags("krypton",
                               "Runs AI agents and models on this machine, and asks how they do.");
  AddUp(flags.AddCommand("up", "Starts the whole mesh over folders of manifests."), &up);
  AddGet(flags.AddCommand("get", "Shows agents, models or endpoints."), &get);
  AddInvoke(
      flags.AddCommand("invoke", "Calls an agent or a model and prints its answer as it comes."),
      &invoke);
  AddChat(flags.AddCommand("chat", "Talks with a model."), &chat);
  AddLogs(flags.AddCommand("logs", "Prints what an agent's or a model's replicas print."), &logs);
  AddWhy(flags.AddCommand("why", "Says why an agent or a model has the replicas it has."), &why);
  AddValidate(flags.AddCommand("validate", "Says what is wrong with manifests."), &validate);
  AddEcho(flags.AddCommand("echo", "Is an agent: answers each request with what it received."),
          &echo);
  flags.AddCommand("completion", "Prints the completion script of a shell.")
      .AddPositional(&shell, "SHELL", "bash, zsh or fish");
  flags.AddCommand("version", "Says which build this is.");
  flags.SetFooter(
      "Examples:\n"
      "  krypton up examples/\n"
      "  krypton get agents -w\n"
      "  krypton invoke default/hello --data 'a body'\n"
      "  krypton chat tiny\n"
      "  source <(krypton completion bash)");
  if (const std::optional<int> exit_code = flags.Parse(argc, argv)) return *exit_code;

  if (flags.command() == "up") return RunUp(up);
  if (flags.command() == "get") return RunGet(get);
  if (flags.command() == "invoke") return RunInvoke(invoke);
  if (flags.command() == "chat") return RunChat(chat);
  if (flags.command() == "logs") return RunLogs(logs);
  if (flags.command() == "why") return RunWhy(why);
  if (flags.command() == "validate") return RunValidate(validate);
  if (flags.command() == "echo") return RunEcho(echo);
  if (flags.command() == "completion") return RunCompletion(shell, flags);
  return RunVersion();
}
