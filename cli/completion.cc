#include "cli/completion.h"

#include <map>

namespace krypton::cli {
namespace {

using Description = config::Flags::Description;

// What follows the command itself, besides flags.
const std::map<std::string, std::string>& Arguments() {
  static const std::map<std::string, std::string> arguments = {{"get", "agents models endpoints"},
                                                               {"completion", "bash zsh fish"}};
  return arguments;
}

// Commands that take files or folders.
bool TakesFiles(const std::string& command) { return command == "up" || command == "validate"; }

// A shell command that prints the names that a command takes, asked from the mesh while the user
// types; silent when there is none. Empty: the command takes no names. `dollar`: how the shell's
// quotes around it want one.
std::string NamesCommand(const std::string& command, const std::string& dollar = "$") {
  const bool both = command == "invoke" || command == "logs" || command == "why";
  if (!both && command != "chat") return "";
  const std::string quote = dollar == "$" ? "\"" : "\\\"";
  const auto list = [&](const std::string& kind) {
    return "krypton get " + kind + " 2>/dev/null | awk 'NR>1 {print " + dollar + "1" + quote + "/" +
           quote + dollar + "2}'";
  };
  return both ? list("agents") + "; " + list("models") : list("models");
}

// For single quotes in a shell.
std::string Quote(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string FlagWords(const Description& command) {
  std::string words;
  for (const auto& flag : command.flags) {
    words += (words.empty() ? "--" : " --") + flag.name;
    if (!flag.short_name.empty()) words += " -" + flag.short_name;
  }
  return words + (words.empty() ? "--help" : " --help");
}

std::string CommandWords(const Description& root) {
  std::string words;
  for (const auto& command : root.commands) words += (words.empty() ? "" : " ") + command.name;
  return words;
}

// `case` branches of bash that complete the value of a flag with choices.
std::string BashChoices(const Description& command) {
  std::string branches;
  for (const auto& flag : command.flags) {
    if (flag.choices.empty()) continue;
    std::string words;
    for (const auto& choice : flag.choices) words += (words.empty() ? "" : " ") + choice;
    branches += "        --" + flag.name + (flag.short_name.empty() ? "" : "|-" + flag.short_name) +
                ") COMPREPLY=($(compgen -W '" + words + "' -- \"$word\")); return ;;\n";
  }
  return branches;
}

std::string Bash(const Description& root) {
  std::string script =
      "# bash completion of krypton: source <(krypton completion bash)\n"
      "_krypton() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    COMPREPLY=($(compgen -W '" +
      CommandWords(root) +
      " --help --version' -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case ${COMP_WORDS[1]} in\n";
  for (const auto& command : root.commands) {
    script += "    " + command.name + ")\n";
    if (const std::string choices = BashChoices(command); !choices.empty()) {
      script += "      case $before in\n" + choices + "      esac\n";
    }
    script += "      case $word in\n        -*) COMPREPLY=($(compgen -W '" + FlagWords(command) +
              "' -- \"$word\")); return ;;\n      esac\n";
    if (const auto words = Arguments().find(command.name); words != Arguments().end()) {
      script += "      COMPREPLY=($(compgen -W '" + words->second + "' -- \"$word\"))\n";
    } else if (const std::string names = NamesCommand(command.name); !names.empty()) {
      script += "      COMPREPLY=($(compgen -W \"$(" + names + ")\" -- \"$word\"))\n";
    } else if (TakesFiles(command.name)) {
      script += "      COMPREPLY=($(compgen -f -- \"$word\"))\n";
    }
    script += "      ;;\n";
  }
  return script + "  esac\n}\ncomplete -o filenames -F _krypton krypton\n";
}

std::string ZshArguments(const Description& command) {
  std::string lines;
  for (const auto& flag : command.flags) {
    std::string help;
    for (const char c : flag.help) {
      if (c == '[' || c == ']' || c == ':' || c == '\\') help += '\\';
      help += c;
    }
    std::string value;
    if (!flag.choices.empty()) {
      for (const auto& choice : flag.choices) value += (value.empty() ? "" : " ") + choice;
      value = ":value:(" + value + ")";
    } else if (flag.takes_value) {
      value = ":value:_files";
    }
    lines += "        " + Quote("--" + flag.name + "[" + help + "]" + value) + " \\\n";
    if (!flag.short_name.empty()) {
      lines += "        " + Quote("-" + flag.short_name + "[" + help + "]" + value) + " \\\n";
    }
  }
  std::string rest = "'*::argument:_files'";
  if (const auto words = Arguments().find(command.name); words != Arguments().end()) {
    rest = "'*:argument:(" + words->second + ")'";
  } else if (const std::string names = NamesCommand(command.name, "\\$"); !names.empty()) {
    rest = "\"*:name:($(" + names + "))\"";
  }
  return lines + "        " + rest + "\n";
}

std::string Zsh(const Description& root) {
  std::string script =
      "#compdef krypton\n"
      "# zsh completion of krypton: source <(krypton completion zsh)\n"
      "_krypton() {\n"
      "  local -a commands=(\n";
  for (const auto& command : root.commands) {
    script += "    " + Quote(command.name + ":" + command.summary) + "\n";
  }
  script +=
      "  )\n"
      "  if (( CURRENT == 2 )); then\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  local command=$words[2]\n"
      "  shift words\n"
      "  (( CURRENT-- ))\n"
      "  case $command in\n";
  for (const auto& command : root.commands) {
    script +=
        "    " + command.name + ")\n      _arguments \\\n" + ZshArguments(command) + "      ;;\n";
  }
  return script + "  esac\n}\ncompdef _krypton krypton\n";
}

std::string Fish(const Description& root) {
  std::string script =
      "# fish completion of krypton: krypton completion fish | source\n"
      "complete -c krypton -f\n";
  for (const auto& command : root.commands) {
    script += "complete -c krypton -n __fish_use_subcommand -a " + command.name + " -d " +
              Quote(command.summary) + "\n";
    const std::string when = " -n '__fish_seen_subcommand_from " + command.name + "'";
    for (const auto& flag : command.flags) {
      script += "complete -c krypton" + when + " -l " + flag.name;
      if (!flag.short_name.empty()) script += " -s " + flag.short_name;
      if (flag.takes_value) script += " -r";
      std::string words;
      for (const auto& choice : flag.choices) words += (words.empty() ? "" : " ") + choice;
      if (!words.empty()) script += " -f -a " + Quote(words);
      script += " -d " + Quote(flag.help) + "\n";
    }
    if (const auto words = Arguments().find(command.name); words != Arguments().end()) {
      script += "complete -c krypton" + when + " -a " + Quote(words->second) + "\n";
    } else if (const std::string names = NamesCommand(command.name, "\\$"); !names.empty()) {
      script += "complete -c krypton" + when + " -a \"(" + names + ")\"\n";
    } else if (TakesFiles(command.name)) {
      script += "complete -c krypton" + when + " -F\n";
    }
  }
  return script;
}

}  // namespace

std::string CompletionScript(const std::string& shell, const Description& description) {
  if (shell == "zsh") return Zsh(description);
  if (shell == "fish") return Fish(description);
  return Bash(description);
}

}  // namespace krypton::cli
