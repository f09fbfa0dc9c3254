#include "common/config/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "common/config/flags_impl.h"
#include "common/config/known_environment.h"
#include "common/config/suggest.h"
#include "common/config/version.h"

extern char** environ;

namespace krypton::config {
namespace {

constexpr std::string_view kPrefix = "KRYPTON_";

std::string VariableOf(std::string_view name) {
  std::string variable(kPrefix);
  for (const char c : name) {
    variable += c == '-' ? '_' : (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return variable;
}

// CLI11's text, cut to one sentence that names the flag.
std::string Sentence(const CLI::ParseError& error) {
  std::string text = error.what();
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

void Flags::Impl::Declare(FlagEntry entry, std::string name) {
  const size_t comma = name.find(',');
  entry.name = name.substr(0, comma);
  if (comma != std::string::npos) entry.short_name = name.substr(comma + 1);
  entry.variable = VariableOf(entry.name);
  entries.push_back(std::make_unique<FlagEntry>(std::move(entry)));
  FlagEntry& stored = *entries.back();
  std::string spelling = "--" + stored.name;
  if (!stored.short_name.empty()) spelling = "-" + stored.short_name + "," + spelling;
  if (stored.kind == FlagEntry::Kind::kBool) {
    stored.option = app->add_flag(spelling + ",!--no-" + stored.name, stored.given);
  } else {
    stored.option = app->add_option(spelling, stored.given)->expected(1)->allow_extra_args(false);
    stored.option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
}

void Flags::Impl::DeclarePositional(FlagEntry entry, std::string name, bool required) {
  entry.name = std::move(name);
  entry.positional = true;
  entry.required = required;
  entries.push_back(std::make_unique<FlagEntry>(std::move(entry)));
  FlagEntry& stored = *entries.back();
  stored.option = app->add_option(stored.name, stored.given);
  if (stored.kind == FlagEntry::Kind::kScalar) {
    stored.option->expected(1)->allow_extra_args(false);
  }
  stored.option->required(required);
}

void Flags::Impl::Forget() {
  for (const auto& entry : entries) entry->given.clear();
  for (const auto& child : commands) child->impl_->Forget();
}

// What CLI11 could not place, in the order of the command line.
std::string Flags::Impl::Unplaced() const {
  const std::vector<std::string> rest = app->remaining(true);
  const auto flag = std::find_if(rest.begin(), rest.end(),
                                 [](const std::string& text) { return text.starts_with('-'); });
  if (flag == rest.end()) return "unexpected argument: " + (rest.empty() ? "" : rest.front());
  const std::string name = flag->substr(0, flag->find('='));
  const Flags* const chosen = Chosen();
  std::vector<std::string> spelled;
  for (const auto& entry : (chosen == nullptr ? *this : *chosen->impl_).entries) {
    if (!entry->positional) spelled.push_back("--" + entry->name);
  }
  return "unknown flag: " + name + DidYouMean(name, {spelled.begin(), spelled.end()});
}

Flags* Flags::Impl::Find(std::string_view name) const {
  for (const auto& child : commands) {
    if (child->impl_->app->get_name() == name) return child.get();
  }
  return nullptr;
}

// `help`, `help COMMAND`, and commands that there are not, which CLI11 takes for arguments.
std::string Flags::HelpFor(int argc, const char* const* argv, std::string* problem) const {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (impl_->commands.empty() || first.starts_with('-')) return "";
  const bool asks = first == "help";
  if (asks && argc == 2) return HelpText();
  const std::string_view name = asks ? argv[2] : first;
  const Flags* const found = impl_->Find(name);
  if (found == nullptr) {
    std::vector<std::string_view> known = {"help"};
    std::vector<std::string> names;
    for (const auto& child : impl_->commands) names.push_back(child->impl_->app->get_name());
    known.insert(known.end(), names.begin(), names.end());
    *problem = "unknown command: " + std::string(name) + DidYouMean(name, known);
    return "";
  }
  return asks ? found->HelpText() : "";
}

Flags* Flags::Impl::Chosen() const {
  for (const auto& child : commands) {
    if (child->impl_->app->parsed()) return child.get();
  }
  return nullptr;
}

absl::Status Flags::Impl::Apply() {
  for (const auto& entry : entries) {
    std::string source = entry->positional ? entry->name : "--" + entry->name;
    std::vector<std::string> given = entry->given;
    if (given.empty() && !entry->variable.empty()) {
      const char* variable = getenv(entry->variable.c_str());
      if (variable == nullptr || *variable == '\0') continue;
      given = {variable};
      source = entry->variable;
    }
    if (given.empty()) continue;
    const bool scalar =
        entry->kind == FlagEntry::Kind::kScalar || entry->kind == FlagEntry::Kind::kBool;
    if (scalar && given.size() > 1) {
      return absl::InvalidArgumentError(source + ": given " + std::to_string(given.size()) +
                                        " times, but takes one value");
    }
    if (const absl::Status status = entry->set(given); !status.ok()) {
      return absl::InvalidArgumentError(source + ": " + std::string(status.message()));
    }
  }
  if (Flags* chosen = Chosen()) {
    for (const auto& child : app->get_subcommands()) command = child->get_name();
    return chosen->impl_->Apply();
  }
  return absl::OkStatus();
}

absl::Status Flags::Impl::CheckEnvironment() const {
  if (ignore_unknown_environment) return absl::OkStatus();
  const Flags* chosen = Chosen();
  const auto has = [](const Impl& impl, std::string_view name) {
    return std::any_of(impl.entries.begin(), impl.entries.end(),
                       [&](const auto& entry) { return entry->variable == name; });
  };
  const auto declared = [&](std::string_view name) {
    if (has(*this, name) || (chosen != nullptr && has(*chosen->impl_, name))) return true;
    for (const auto& [described, help] : described_environment) {
      if (described == name) return true;
    }
    return false;
  };
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const std::string_view name = text.substr(0, text.find('='));
    if (!name.starts_with(kPrefix) || text.size() == name.size() + 1) continue;
    if (declared(name) || IsKnownEnvironment(name)) continue;
    return absl::InvalidArgumentError("unknown environment variable: " + std::string(name));
  }
  return absl::OkStatus();
}

Flags::Flags(std::string program, std::string summary) : impl_(std::make_unique<Impl>()) {
  impl_->program = std::move(program);
  impl_->summary = std::move(summary);
  impl_->root = std::make_unique<CLI::App>(impl_->summary, impl_->program);
  impl_->app = impl_->root.get();
  impl_->app->set_help_flag("-h,--help");
  impl_->app->set_version_flag("--version", "version");
}

Flags::~Flags() = default;

Flags& Flags::AddCommand(std::string name, std::string summary) {
  auto child = std::make_unique<Flags>(impl_->program + " " + name, std::move(summary));
  child->impl_->root.reset();
  child->impl_->app = impl_->app->add_subcommand(name, child->impl_->summary);
  child->impl_->app->set_help_flag("-h,--help");
  impl_->app->require_subcommand(1);
  impl_->commands.push_back(std::move(child));
  return *impl_->commands.back();
}

void Flags::SetFooter(std::string text) { impl_->footer = std::move(text); }

void Flags::DescribeEnvironment(std::string variable, std::string help) {
  impl_->described_environment.emplace_back(std::move(variable), std::move(help));
}

void Flags::IgnoreUnknownEnvironment() { impl_->ignore_unknown_environment = true; }

std::optional<int> Flags::Parse(int argc, const char* const* argv) {
  absl::Status status;
  impl_->Forget();
  // Whoever says nothing to a program of commands asks which there are.
  if (argc <= 1 && !impl_->commands.empty()) {
    fputs(HelpText().c_str(), stderr);
    return 2;
  }
  std::string problem;
  if (const std::string help = HelpFor(argc, argv, &problem); !help.empty()) {
    fputs(help.c_str(), stdout);
    return 0;
  }
  if (!problem.empty()) status = absl::InvalidArgumentError(problem);
  try {
    if (status.ok()) impl_->app->parse(argc, argv);
    status.Update(impl_->Apply());
    status.Update(impl_->CheckEnvironment());
  } catch (const CLI::CallForHelp&) {
    const Flags* chosen = impl_->Chosen();
    fputs((chosen != nullptr ? *chosen : *this).HelpText().c_str(), stdout);
    return 0;
  } catch (const CLI::CallForVersion&) {
    printf("%s %s (commit %s, %s)\n", impl_->program.c_str(), std::string(Version()).c_str(),
           std::string(Commit()).c_str(), std::string(CommitDate()).c_str());
    return 0;
  } catch (const CLI::ExtrasError&) {
    status = absl::InvalidArgumentError(impl_->Unplaced());
  } catch (const CLI::ParseError& error) {
    status = absl::InvalidArgumentError(Sentence(error));
  }
  if (status.ok()) return std::nullopt;
  const Flags* chosen = impl_->Chosen();
  const std::string& program = (chosen != nullptr ? chosen : this)->impl_->program;
  const bool chooses = chosen == nullptr && !impl_->commands.empty();
  fprintf(stderr, "%s: %s\nRun '%s --help' for its %s.\n", program.c_str(),
          std::string(status.message()).c_str(), program.c_str(), chooses ? "commands" : "flags");
  return 2;
}

const std::string& Flags::command() const { return impl_->command; }

std::vector<std::pair<std::string, std::string>> Flags::Effective() const {
  std::vector<std::pair<std::string, std::string>> values;
  for (const auto& entry : impl_->entries) values.emplace_back(entry->name, entry->effective());
  return values;
}

}  // namespace krypton::config
