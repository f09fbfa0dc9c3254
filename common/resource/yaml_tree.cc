#include "common/resource/yaml_tree.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "fmt/format.h"

namespace krypton::resource {
namespace {

constexpr std::array<std::string_view, 8> kTrueWords = {"true", "True", "TRUE", "yes",
                                                        "Yes",  "YES",  "on",   "On"};
constexpr std::array<std::string_view, 8> kFalseWords = {"false", "False", "FALSE", "no",
                                                         "No",    "NO",    "off",   "Off"};

template <size_t N>
bool Contains(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool IsInteger(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  const bool prefixed = text.size() > 2 && text[0] == '0' && absl::ascii_isalpha(text[1]);
  if (prefixed) {
    const char base = absl::ascii_tolower(text[1]);
    return (base == 'x' || base == 'o' || base == 'b') &&
           std::all_of(text.begin() + 2, text.end(),
                       [](char c) { return absl::ascii_isxdigit(c) || c == '_'; });
  }
  return !text.empty() && absl::ascii_isdigit(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isdigit(c) || c == '_'; });
}

// [-+]?(digits[.digits]|.digits)([eE][-+]?digits)?, .inf, .nan
bool IsFloat(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text == ".inf" || text == ".Inf" || text == ".INF") return true;
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return true;
  size_t digits = 0;
  bool dot = false;
  size_t i = 0;
  for (; i < text.size() && (absl::ascii_isdigit(text[i]) || (text[i] == '.' && !dot)); ++i) {
    text[i] == '.' ? dot = true : ++digits != 0;
  }
  if (digits == 0) return false;
  if (i == text.size()) return dot;
  if (absl::ascii_tolower(text[i]) != 'e') return false;
  if (++i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
  return i < text.size() &&
         std::all_of(text.begin() + i, text.end(), [](char c) { return absl::ascii_isdigit(c); });
}

// A line that ends one document or begins the next: the marker, alone or before white space.
bool IsMarker(std::string_view line, std::string_view marker) {
  return line.substr(0, 3) == marker &&
         (line.size() == 3 || absl::ascii_isspace(static_cast<unsigned char>(line[3])));
}

bool HasContent(std::string_view text) {
  bool content = false;
  for (size_t at = 0; at < text.size() && !content;) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (IsMarker(line, "---")) line.remove_prefix(3);
    while (!line.empty() && absl::ascii_isspace(static_cast<unsigned char>(line[0]))) {
      line.remove_prefix(1);
    }
    content = !line.empty() && line[0] != '#' && line.substr(0, 5) != "%YAML";
    at = end + 1;
  }
  return content;
}

}  // namespace

const YamlNode* YamlNode::Find(std::string_view key) const {
  for (const YamlEntry& entry : entries) {
    if (entry.key == key) return entry.value.get();
  }
  return nullptr;
}

ScalarType TypeOf(const YamlNode& scalar) {
  if (scalar.quoted) return ScalarType::kString;
  const std::string_view text = scalar.scalar;
  if (Contains(kTrueWords, text) || Contains(kFalseWords, text)) return ScalarType::kBool;
  if (text == "ON" || text == "OFF" || text == "y" || text == "Y" || text == "n" || text == "N") {
    return ScalarType::kBool;
  }
  if (IsInteger(text)) return ScalarType::kInteger;
  if (IsFloat(text)) return ScalarType::kFloat;
  return ScalarType::kString;
}

bool BoolOf(const YamlNode& scalar) {
  const std::string_view text = scalar.scalar;
  return Contains(kTrueWords, text) || text == "ON" || text == "y" || text == "Y";
}

std::string DescribeNode(const YamlNode& node) {
  switch (node.type) {
    case YamlNode::Type::kNull:
      return "nothing";
    case YamlNode::Type::kSequence:
      return "a list";
    case YamlNode::Type::kMapping:
      return "a mapping";
    case YamlNode::Type::kScalar:
      break;
  }
  const bool text = TypeOf(node) == ScalarType::kString;
  const bool boolean = TypeOf(node) == ScalarType::kBool;
  const std::string_view shown = std::string_view(node.scalar).substr(0, 80);
  return fmt::format("the {} {}{}{}",
                     text      ? "string"
                     : boolean ? "boolean"
                               : "number",
                     text ? "\"" : "", shown, text ? "\"" : "");
}

std::vector<YamlDocument> SplitYaml(std::string_view stream) {
  if (stream.substr(0, 3) == "\xef\xbb\xbf") stream.remove_prefix(3);
  std::vector<YamlDocument> documents;
  const auto add = [&](size_t begin, size_t end, int line) {
    const std::string_view text = stream.substr(begin, end - begin);
    if (HasContent(text)) documents.push_back({text, line});
  };
  size_t begin = 0;
  int begin_line = 1;
  int line_number = 1;
  for (size_t at = 0; at < stream.size(); ++line_number) {
    const size_t end = std::min(stream.find('\n', at), stream.size());
    const std::string_view line = stream.substr(at, end - at);
    const size_t next = std::min(end + 1, stream.size());
    if (IsMarker(line, "---")) {
      add(begin, at, begin_line);
      begin = at;
      begin_line = line_number;
    } else if (IsMarker(line, "...")) {
      add(begin, at, begin_line);
      begin = next;
      begin_line = line_number + 1;
    }
    at = next;
    if (end == stream.size()) break;
  }
  add(begin, stream.size(), begin_line);
  return documents;
}

}  // namespace krypton::resource
