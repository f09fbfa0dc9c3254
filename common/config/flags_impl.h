// What Flags holds; shared by flags.cc (parsing), flags_kinds.cc (values) and flags_help.cc
// (texts).
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/config/flags.h"

namespace krypton::config {

// One flag or positional argument.
struct FlagEntry {
  enum class Kind { kScalar, kBool, kList, kRepeated };
  std::string name;        // "output"
  std::string short_name;  // "o" or empty
  std::string help;
  std::string placeholder;
  std::string default_text;
  std::vector<std::string> choices;
  Kind kind = Kind::kScalar;
  bool positional = false;
  bool required = false;
  std::string variable;  // "KRYPTON_OUTPUT"; empty for a positional
  // Writes what was given to the caller's variable.
  std::function<absl::Status(const std::vector<std::string>&)> set;
  std::function<std::string()> effective;

  std::vector<std::string> given;  // filled by CLI11
  CLI::Option* option = nullptr;
};

struct Flags::Impl {
  std::string program;
  std::string summary;
  std::string footer;
  bool ignore_unknown_environment = false;
  std::vector<std::pair<std::string, std::string>> described_environment;
  // CLI11 keeps pointers to the entries' `given`.
  std::vector<std::unique_ptr<FlagEntry>> entries;
  std::vector<std::unique_ptr<Flags>> commands;
  std::string command;
  std::unique_ptr<CLI::App> root;  // of the top one only
  CLI::App* app = nullptr;

  void Declare(FlagEntry entry, std::string name);
  void DeclarePositional(FlagEntry entry, std::string name, bool required);
  // What an earlier Parse was given.
  void Forget();
  // After CLI11: applies what was given here and in the chosen sub-command.
  absl::Status Apply();
  absl::Status CheckEnvironment() const;
  std::string Unplaced() const;
  Flags* Find(std::string_view command_name) const;
  Flags* Chosen() const;
};

}  // namespace krypton::config
