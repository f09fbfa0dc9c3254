#include "cli/completion.h"

#include <algorithm>
#include <map>
#include <sstream>

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

// The kinds whose names a command takes behind itself. Empty: it takes no names.
std::string KindsOfNames(const std::string& command) {
  if (command == "invoke" || command == "logs" || command == "why") return "agents models";
  return command == "chat" ? "models" : "";
}

// The shell function of the scripts that prints the names of some kinds, asked from the mesh while
// the user types; silent when there is none. The endpoints of one agent are one name.
constexpr char kListNames[] =
    "krypton get $kind 2>/dev/null | awk 'NR > 1 {print $1 \"/\" $2}' | uniq";

// The same function in bash and zsh.
std::string NamesFunction() {
  return "_krypton_names() {\n"
         "  local kind\n"
         "  for kind in \"$@\"; do " +
         std::string(kListNames) +
         "; done\n"
         "}\n";
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

// The first argument is one of `words`; behind `get` and its kind comes a name.
std::string BashArguments(const Description& command, const std::string& words) {
  const std::string names = command.name == "get"
                                ? "COMPREPLY=($(compgen -W \"$(_krypton_names \"$given\")\" -- "
                                  "\"$word\")); return"
                                : "return";
  return "      local given\n"
         "      for given in \"${COMP_WORDS[@]:2:COMP_CWORD-2}\"; do\n"
         "        case \" " +
         words + " \" in *\" $given \"*) " + names +
         " ;; esac\n"
         "      done\n"
         "      COMPREPLY=($(compgen -W '" +
         words + "' -- \"$word\"))\n";
}

std::string Bash(const Description& root) {
  std::string script = "# bash completion of krypton: source <(krypton completion bash)\n" +
                       NamesFunction() +
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
      script += BashArguments(command, words->second);
    } else if (const std::string kinds = KindsOfNames(command.name); !kinds.empty()) {
      script +=
          "      COMPREPLY=($(compgen -W \"$(_krypton_names " + kinds + ")\" -- \"$word\"))\n";
    } else if (TakesFiles(command.name)) {
      script += "      COMPREPLY=($(compgen -f -- \"$word\"))\n";
    }
    script += "      ;;\n";
  }
  return script + "  esac\n}\ncomplete -o filenames -F _krypton krypton\n";
}

// "a b" -> "a|b".
std::string Alternatives(std::string words) {
  std::replace(words.begin(), words.end(), ' ', '|');
  return words;
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
    rest = "'1:argument:(" + words->second + ")'";
    if (command.name == "get") {
      rest += " \"2:name:($(_krypton_names ${words[(r)(" + Alternatives(words->second) + ")]}))\"";
    }
  } else if (const std::string kinds = KindsOfNames(command.name); !kinds.empty()) {
    rest = "\"*:name:($(_krypton_names " + kinds + "))\"";
  }
  return lines + "        " + rest + "\n";
}

std::string Zsh(const Description& root) {
  std::string script =
      "#compdef krypton\n"
      "# zsh completion of krypton: source <(krypton completion zsh)\n" +
      NamesFunction() +
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

// As BashArguments.
std::string FishArguments(const Description& command, const std::string& words) {
  const std::string seen = "__fish_seen_subcommand_from ";
  const std::string here = "complete -c krypton -n '" + seen + command.name + "; and ";
  std::string script = here + "not " + seen + words + "' -a " + Quote(words) + "\n";
  if (command.name != "get") return script;
  std::istringstream kinds(words);
  for (std::string kind; kinds >> kind;) {
    script += here + seen + kind + "' -a '(__krypton_names " + kind + ")'\n";
  }
  return script;
}

std::string Fish(const Description& root) {
  std::string script =
      "# fish completion of krypton: krypton completion fish | source\n"
      "function __krypton_names\n"
      "  for kind in $argv; " +
      std::string(kListNames) +
      "; end\n"
      "end\n"
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
      script += FishArguments(command, words->second);
    } else if (const std::string kinds = KindsOfNames(command.name); !kinds.empty()) {
      script += "complete -c krypton" + when + " -a '(__krypton_names " + kinds + ")'\n";
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
