#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/resource/yaml_tree.h"
#include "fmt/format.h"

namespace krypton::resource {
namespace {

// Whether the text reads back as the same string without quotes.
bool IsPlain(const std::string& text) {
  if (text.empty() || !(absl::ascii_isalpha(text[0]) || text[0] == '/' || text[0] == '_')) {
    return absl::ascii_isdigit(text.empty() ? ' ' : text[0]) && text.size() < 64 &&
           std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isalnum(c); });
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool last = i + 1 == text.size();
    if (c == ':' && (last || text[i + 1] == ' ')) return false;
    if (c == ' ' && (last || text[i + 1] == '#')) return false;
    if (!absl::ascii_isalnum(c) && std::string_view("_-./:+@$=,() ").find(c) == text.npos) {
      return false;
    }
  }
  return text.size() < 200;
}

std::string Quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        quoted += "\\\"";
        break;
      case '\\':
        quoted += "\\\\";
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\t':
        quoted += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else {
          quoted += c;
        }
    }
  }
  return quoted + "\"";
}

std::string WriteString(const std::string& text) {
  YamlNode plain;
  plain.type = YamlNode::Type::kScalar;
  plain.scalar = text;
  const bool null = text == "null" || text == "Null" || text == "NULL";
  const bool same = IsPlain(text) && !null && TypeOf(plain) == ScalarType::kString;
  return same ? text : Quote(text);
}

class Writer {
 public:
  std::string Take() { return std::move(out_); }

  // `indent` is the column of the node's first line; scalars are written where the cursor stands.
  void Write(const YamlNode& node, int indent) {
    switch (node.type) {
      case YamlNode::Type::kNull:
        out_ += "null\n";
        break;
      case YamlNode::Type::kScalar:
        out_ += node.quoted ? WriteString(node.scalar) : node.scalar;
        out_ += '\n';
        break;
      case YamlNode::Type::kSequence:
        WriteItems(node, indent);
        break;
      case YamlNode::Type::kMapping:
        WriteEntries(node, indent);
        break;
    }
  }

 private:
  static bool IsEmptyCollection(const YamlNode& node) {
    return node.items.empty() && node.entries.empty() && node.type >= YamlNode::Type::kSequence;
  }

  void WriteEmpty(const YamlNode& node) {
    out_ += node.type == YamlNode::Type::kSequence ? "[]\n" : "{}\n";
  }

  void WriteItems(const YamlNode& node, int indent) {
    if (node.items.empty()) return WriteEmpty(node);
    for (size_t i = 0; i < node.items.size(); ++i) {
      if (i > 0) out_.append(indent, ' ');
      out_ += "- ";
      Write(*node.items[i], indent + 2);
    }
  }

  void WriteEntries(const YamlNode& node, int indent) {
    if (node.entries.empty()) return WriteEmpty(node);
    for (size_t i = 0; i < node.entries.size(); ++i) {
      const YamlNode& value = *node.entries[i].value;
      if (i > 0) out_.append(indent, ' ');
      out_ += WriteString(node.entries[i].key) + ":";
      const bool block = value.type >= YamlNode::Type::kSequence && !IsEmptyCollection(value);
      if (!block) {
        out_ += ' ';
        Write(value, indent);
        continue;
      }
      // A list stands in the column of its key, as kubectl writes it.
      const int inner = value.type == YamlNode::Type::kSequence ? indent : indent + 2;
      out_ += '\n';
      out_.append(inner, ' ');
      Write(value, inner);
    }
  }

  std::string out_;
};

}  // namespace

std::string WriteYaml(const YamlNode& root) {
  Writer writer;
  writer.Write(root, 0);
  return writer.Take();
}

}  // namespace krypton::resource
