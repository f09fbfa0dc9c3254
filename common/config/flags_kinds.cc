// What each kind of flag takes: how its text becomes a value, and what it says of itself.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "common/config/address.h"
#include "common/config/duration.h"
#include "common/config/flags.h"
#include "common/config/flags_impl.h"

namespace krypton::config {
namespace {

absl::Status NotA(const std::string& text, const std::string& what) {
  return absl::InvalidArgumentError("\"" + text + "\" is not " + what);
}

template <typename T>
absl::Status SetNumber(const std::string& text, const char* what, T* value) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return NotA(text, what);
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(number)) return NotA(text, what);
  }
  *value = number;
  return absl::OkStatus();
}

absl::Status SetBool(const std::string& text, bool* value) {
  for (const char* yes : {"true", "1", "yes", "on"}) {
    if (text == yes) return *value = true, absl::OkStatus();
  }
  for (const char* no : {"false", "0", "no", "off"}) {
    if (text == no) return *value = false, absl::OkStatus();
  }
  return NotA(text, "true or false");
}

std::vector<std::string> SplitAtCommas(const std::vector<std::string>& given) {
  std::vector<std::string> parts;
  for (const std::string& text : given) {
    for (size_t begin = 0; begin <= text.size();) {
      const size_t comma = std::min(text.find(',', begin), text.size());
      if (comma > begin) parts.push_back(text.substr(begin, comma - begin));
      begin = comma + 1;
    }
  }
  return parts;
}

std::string Join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

FlagEntry Scalar(std::string help, std::string placeholder, std::string default_text,
                 std::function<absl::Status(const std::string&)> set,
                 std::function<std::string()> effective) {
  FlagEntry entry;
  entry.help = std::move(help);
  entry.placeholder = std::move(placeholder);
  entry.default_text = std::move(default_text);
  entry.set = [set = std::move(set)](const std::vector<std::string>& given) {
    return set(given.front());
  };
  entry.effective = std::move(effective);
  return entry;
}

FlagEntry List(std::vector<std::string>* value, std::string help, std::string placeholder,
               bool split) {
  FlagEntry entry;
  entry.kind = split ? FlagEntry::Kind::kList : FlagEntry::Kind::kRepeated;
  entry.help = std::move(help);
  entry.placeholder = std::move(placeholder);
  entry.default_text = Join(*value);
  entry.set = [value, split](const std::vector<std::string>& given) {
    *value = split ? SplitAtCommas(given) : given;
    return absl::OkStatus();
  };
  entry.effective = [value] { return Join(*value); };
  return entry;
}

}  // namespace

void Flags::Add(std::string* value, std::string name, std::string help, std::string placeholder) {
  const bool is_bind_address = name.ends_with("bind-address");
  impl_->Declare(Scalar(
                     std::move(help), std::move(placeholder), *value,
                     [value, is_bind_address](const std::string& text) {
                       if (is_bind_address) {
                         const auto address = ParseHostPort(text);
                         if (!address.ok()) return address.status();
                       }
                       *value = text;
                       return absl::OkStatus();
                     },
                     [value] { return *value; }),
                 std::move(name));
}

void Flags::Add(bool* value, std::string name, std::string help) {
  FlagEntry entry = Scalar(
      std::move(help), "", *value ? "true" : "false",
      [value](const std::string& text) { return SetBool(text, value); },
      [value] { return std::string(*value ? "true" : "false"); });
  entry.kind = FlagEntry::Kind::kBool;
  impl_->Declare(std::move(entry), std::move(name));
}

void Flags::Add(int* value, std::string name, std::string help, std::string placeholder) {
  impl_->Declare(
      Scalar(
          std::move(help), std::move(placeholder), std::to_string(*value),
          [value](const std::string& text) { return SetNumber(text, "a whole number", value); },
          [value] { return std::to_string(*value); }),
      std::move(name));
}

void Flags::Add(int64_t* value, std::string name, std::string help, std::string placeholder) {
  impl_->Declare(
      Scalar(
          std::move(help), std::move(placeholder), std::to_string(*value),
          [value](const std::string& text) { return SetNumber(text, "a whole number", value); },
          [value] { return std::to_string(*value); }),
      std::move(name));
}

void Flags::Add(double* value, std::string name, std::string help, std::string placeholder) {
  const auto text_of = [value] {
    char text[32];
    snprintf(text, sizeof text, "%g", *value);
    return std::string(text);
  };
  impl_->Declare(
      Scalar(
          std::move(help), std::move(placeholder), text_of(),
          [value](const std::string& text) { return SetNumber(text, "a number", value); }, text_of),
      std::move(name));
}

void Flags::Add(std::chrono::milliseconds* value, std::string name, std::string help) {
  impl_->Declare(Scalar(
                     std::move(help), "DURATION", FormatDuration(*value),
                     [value](const std::string& text) -> absl::Status {
                       const auto duration = ParseDuration(text);
                       if (!duration.ok()) return duration.status();
                       if (duration->count() < 0) return NotA(text, "0 or more");
                       *value = std::chrono::ceil<std::chrono::milliseconds>(*duration);
                       return absl::OkStatus();
                     },
                     [value] { return FormatDuration(*value); }),
                 std::move(name));
}

void Flags::Add(std::vector<std::string>* value, std::string name, std::string help,
                std::string placeholder) {
  impl_->Declare(List(value, std::move(help), std::move(placeholder), true), std::move(name));
}

void Flags::AddRepeated(std::vector<std::string>* value, std::string name, std::string help,
                        std::string placeholder) {
  impl_->Declare(List(value, std::move(help), std::move(placeholder), false), std::move(name));
}

void Flags::AddChoice(std::string* value, std::string name, std::vector<std::string> choices,
                      std::string help) {
  FlagEntry entry = Scalar(
      std::move(help), "", *value,
      [value, choices](const std::string& text) -> absl::Status {
        if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
          return NotA(text, "one of " + Join(choices));
        }
        *value = text;
        return absl::OkStatus();
      },
      [value] { return *value; });
  for (const std::string& choice : choices) {
    entry.placeholder += (entry.placeholder.empty() ? "" : "|") + choice;
  }
  entry.choices = std::move(choices);
  impl_->Declare(std::move(entry), std::move(name));
}

void Flags::AddPositional(std::string* value, std::string name, std::string help, bool required) {
  impl_->DeclarePositional(Scalar(
                               std::move(help), "", *value,
                               [value](const std::string& text) {
                                 *value = text;
                                 return absl::OkStatus();
                               },
                               [value] { return *value; }),
                           std::move(name), required);
}

void Flags::AddPositional(std::vector<std::string>* value, std::string name, std::string help,
                          bool required) {
  impl_->DeclarePositional(List(value, std::move(help), "", false), std::move(name), required);
}

}  // namespace krypton::config
