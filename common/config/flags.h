// The command line of every binary of Krypton: a flag, its environment variable and its default in
// one declaration, on top of CLI11.
//
//   config::Flags flags("krypton-gateway", "Carries the users' traffic to agents.");
//   flags.Add(&settings.http_bind_address, "http-bind-address", "where clients call", "HOST:PORT");
//   if (std::optional<int> exit_code = flags.Parse(argc, argv)) return *exit_code;
//
// A flag `--max-hops` can be given as KRYPTON_MAX_HOPS too. The flag wins over the environment, the
// environment over the default; an empty variable counts as unset. An unknown flag, a scalar that
// is given twice, a value that does not parse, and a variable that begins with KRYPTON_ but that no
// binary of Krypton knows (known_environment.h) end the process with status 2 and their name.
// Values are written when Parse succeeds, not before. Not thread-safe; meant for main().
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace krypton::config {

class Flags {
 public:
  // `program` as it stands in --help and --version; `summary` is one sentence.
  Flags(std::string program, std::string summary);
  ~Flags();
  Flags(const Flags&) = delete;
  Flags& operator=(const Flags&) = delete;

  // Declares `--name`, whose default is the present value of `*value`. `name` is kebab-case, with
  // an optional short form after a comma: "output,o". `placeholder` stands for the value in --help.
  void Add(std::string* value, std::string name, std::string help,
           std::string placeholder = "TEXT");
  // `--name`, `--no-name`, `--name=false`.
  void Add(bool* value, std::string name, std::string help);
  void Add(int* value, std::string name, std::string help, std::string placeholder = "N");
  void Add(int64_t* value, std::string name, std::string help, std::string placeholder = "N");
  void Add(double* value, std::string name, std::string help, std::string placeholder = "NUMBER");
  // Durations as Go writes them: 300s, 1h30m, 250ms; never negative.
  void Add(std::chrono::milliseconds* value, std::string name, std::string help);
  // May be given several times, and each time as a list with commas.
  void Add(std::vector<std::string>* value, std::string name, std::string help,
           std::string placeholder = "TEXT,...");
  // May be given several times; a comma is a part of the value. The environment gives one value.
  void AddRepeated(std::vector<std::string>* value, std::string name, std::string help,
                   std::string placeholder);
  // A string out of `choices`.
  void AddChoice(std::string* value, std::string name, std::vector<std::string> choices,
                 std::string help);

  // Arguments without a name, in the order of declaration. A vector takes all that remain; a
  // required one demands at least one.
  void AddPositional(std::string* value, std::string name, std::string help, bool required = true);
  void AddPositional(std::vector<std::string>* value, std::string name, std::string help,
                     bool required = true);

  // A sub-command with flags of its own (`krypton get`); owned by this. Once one is declared,
  // exactly one must be given.
  Flags& AddCommand(std::string name, std::string summary);
  // Further text at the end of --help, such as examples.
  void SetFooter(std::string text);
  // Variables that are read elsewhere and may be set (KRYPTON_DRAIN_TOKEN), described in --help.
  void DescribeEnvironment(std::string variable, std::string help);
  // True for a program that takes whatever KRYPTON_ variables there are.
  void IgnoreUnknownEnvironment();

  // Reads the command line and the environment. Returns the status that the process must end with
  // (0 after --help or --version, which go to stdout; 2 after a mistake, which goes to stderr, as
  // does the help where a command must be given and nothing is), or nothing: go on.
  std::optional<int> Parse(int argc, const char* const* argv);

  // After Parse: the name of the given sub-command, or empty.
  const std::string& command() const;
  // After Parse: each flag with the value that counts, for a debug log line.
  std::vector<std::pair<std::string, std::string>> Effective() const;

  // What shell completion needs to know.
  struct Description {
    struct Flag {
      std::string name;  // "output"
      std::string short_name;
      std::string help;
      std::vector<std::string> choices;
      bool takes_value = true;
    };
    std::string name;
    std::string summary;
    std::vector<Flag> flags;
    std::vector<Description> commands;
  };
  Description Describe() const;
  std::string HelpText() const;

 private:
  struct Impl;

  // The text that the first arguments ask for; empty: none. `problem`: there is no such command.
  std::string HelpFor(int argc, const char* const* argv, std::string* problem) const;

  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::config
