// The texts that are made from the declared flags: --help, and what shell completion needs.
#include <algorithm>
#include <sstream>

#include "common/config/flags.h"
#include "common/config/flags_impl.h"

namespace krypton::config {
namespace {

constexpr size_t kWidth = 100;

// `text` broken at blanks, each line behind `indent`.
void AppendWrapped(std::string& out, const std::string& text, const std::string& indent) {
  std::string line;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (!line.empty() && indent.size() + line.size() + 1 + word.size() > kWidth) {
      out += indent + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  if (!line.empty()) out += indent + line + "\n";
}

std::string Spelling(const FlagEntry& flag) {
  std::string text = flag.short_name.empty() ? "  --" : "  -" + flag.short_name + ", --";
  if (flag.kind == FlagEntry::Kind::kBool) return text + "[no-]" + flag.name;
  return text + flag.name + " " + flag.placeholder;
}

void AppendFlag(std::string& out, const FlagEntry& flag) {
  out += Spelling(flag) + "\n";
  std::string help = flag.help;
  if (!flag.default_text.empty()) help += " (default: " + flag.default_text + ")";
  help += " [" + flag.variable + "]";
  AppendWrapped(out, help, "        ");
}

std::string PositionalSpelling(const FlagEntry& entry) {
  std::string text = entry.name;
  if (entry.kind != FlagEntry::Kind::kScalar) text += "...";
  return entry.required ? text : "[" + text + "]";
}

}  // namespace

std::string Flags::HelpText() const {
  std::string usage = "Usage: " + impl_->program;
  if (!impl_->commands.empty()) usage += " COMMAND";
  std::string positionals;
  std::string flags;
  for (const auto& entry : impl_->entries) {
    if (entry->positional) {
      usage += " " + PositionalSpelling(*entry);
      positionals += "  " + PositionalSpelling(*entry) + "\n";
      AppendWrapped(positionals, entry->help, "        ");
    } else {
      AppendFlag(flags, *entry);
    }
  }
  std::string out = usage + " [FLAG...]\n\n";
  AppendWrapped(out, impl_->summary, "");
  if (!impl_->commands.empty()) {
    out += "\nCommands:\n";
    size_t width = 0;
    for (const auto& child : impl_->commands) {
      width = std::max(width, child->impl_->app->get_name().size());
    }
    for (const auto& child : impl_->commands) {
      std::string name = child->impl_->app->get_name();
      name.resize(width, ' ');
      out += "  " + name + "  " + child->impl_->summary + "\n";
    }
  }
  if (!positionals.empty()) out += "\nArguments:\n" + positionals;
  out += "\nFlags:\n" + flags + "  -h, --help\n        this text\n";
  if (impl_->root != nullptr) out += "  --version\n        which build this is\n";
  out +=
      "\nIn brackets: the environment variable that stands for the flag; the flag wins over it.\n";
  for (const auto& [variable, help] : impl_->described_environment) {
    out += "  " + variable + "\n";
    AppendWrapped(out, help, "        ");
  }
  if (!impl_->footer.empty()) out += "\n" + impl_->footer + "\n";
  return out;
}

Flags::Description Flags::Describe() const {
  Description description{impl_->app->get_name(), impl_->summary, {}, {}};
  for (const auto& entry : impl_->entries) {
    if (entry->positional) continue;
    description.flags.push_back({entry->name, entry->short_name, entry->help, entry->choices,
                                 entry->kind != FlagEntry::Kind::kBool});
  }
  for (const auto& child : impl_->commands) description.commands.push_back(child->Describe());
  return description;
}

}  // namespace krypton::config
