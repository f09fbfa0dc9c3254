#include "cli/yaml.h"

#include <yaml-cpp/yaml.h>

#include <boost/json.hpp>
#include <sstream>

#include "absl/status/status.h"

namespace krypton::cli {
namespace {

namespace json = boost::json;

// A plain scalar that YAML 1.1 or 1.2 would not read as a string.
bool NeedsQuotes(std::string_view text) {
  if (text.empty() || text == "~") return true;
  for (const char* word : {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}) {
    if (strcasecmp(word, std::string(text).c_str()) == 0) return true;
  }
  double number;
  return YAML::convert<double>::decode(YAML::Node(std::string(text)), number);
}

void Emit(YAML::Emitter& out, const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      out << YAML::Null;
      break;
    case json::kind::bool_:
      out << value.get_bool();
      break;
    case json::kind::string: {
      const std::string text(value.get_string());
      if (NeedsQuotes(text)) out << YAML::DoubleQuoted;
      out << text;
      break;
    }
    case json::kind::array:
      if (value.get_array().empty()) out << YAML::Flow;
      out << YAML::BeginSeq;
      for (const json::value& item : value.get_array()) Emit(out, item);
      out << YAML::EndSeq;
      break;
    case json::kind::object:
      if (value.get_object().empty()) out << YAML::Flow;
      out << YAML::BeginMap;
      for (const auto& [key, item] : value.get_object()) {
        out << YAML::Key << std::string(key) << YAML::Value;
        Emit(out, item);
      }
      out << YAML::EndMap;
      break;
    default:
      out << json::serialize(value);
  }
}

void Indent(std::string& out, const json::value& value, size_t depth) {
  const std::string inner((depth + 1) * 2, ' ');
  const std::string outer(depth * 2, ' ');
  const auto* object = value.if_object();
  const auto* array = value.if_array();
  if (object != nullptr && !object->empty()) {
    std::string separator = "{\n";
    for (const auto& [key, item] : *object) {
      out += separator + inner + json::serialize(json::value(key)) + ": ";
      Indent(out, item, depth + 1);
      separator = ",\n";
    }
    out += "\n" + outer + "}";
  } else if (array != nullptr && !array->empty()) {
    std::string separator = "[\n";
    for (const json::value& item : *array) {
      out += separator + inner;
      Indent(out, item, depth + 1);
      separator = ",\n";
    }
    out += "\n" + outer + "]";
  } else {
    out += json::serialize(value);
  }
}

absl::StatusOr<json::value> Parse(std::string_view text) {
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return absl::InternalError("not JSON: " + error.message());
  return value;
}

}  // namespace

absl::StatusOr<std::string> JsonToYaml(std::string_view text) {
  const auto value = Parse(text);
  if (!value.ok()) return value.status();
  YAML::Emitter out;
  out.SetIndent(2);
  Emit(out, *value);
  return std::string(out.c_str()) + "\n";
}

absl::StatusOr<std::string> PrettyJson(std::string_view text) {
  const auto value = Parse(text);
  if (!value.ok()) return value.status();
  std::string out;
  Indent(out, *value, 0);
  return out + "\n";
}

}  // namespace krypton::cli
