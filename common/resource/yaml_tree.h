// YAML text as a bounded tree. Between yaml-cpp, which reads whatever it is given, and everything
// that wants to trust what it reads: limits on size, depth, scalars and followed aliases, no
// cycles, no duplicate keys, no tags but YAML's own, UTF-8 only. Pure functions; a node is
// immutable once built.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace krypton::resource {

struct YamlNode;
using YamlNodePtr = std::shared_ptr<const YamlNode>;

struct YamlEntry {
  std::string key;
  int line = 0;
  YamlNodePtr value;
};

struct YamlNode {
  enum class Type { kNull, kScalar, kSequence, kMapping };

  Type type = Type::kNull;
  // In the whole file, from 1.
  int line = 0;
  // Of a scalar. `quoted`: its style or its tag says that it is a string.
  std::string scalar;
  bool quoted = false;
  std::vector<YamlNodePtr> items;
  // In the order of the text; no key comes twice.
  std::vector<YamlEntry> entries;
  // Nodes of this tree, aliases followed.
  size_t size = 1;

  // Nothing when this is no mapping or has no such key.
  const YamlNode* Find(std::string_view key) const;
};

// What a scalar means by YAML 1.1, as Kubernetes reads it.
enum class ScalarType { kString, kBool, kInteger, kFloat };
ScalarType TypeOf(const YamlNode& scalar);
// Requires: TypeOf(scalar) is kBool.
bool BoolOf(const YamlNode& scalar);
// "the string \"80\"", "a list", ...: for messages.
std::string DescribeNode(const YamlNode& node);

struct YamlLimits {
  size_t max_scalar_bytes = 256 << 10;
  size_t max_nodes = 50'000;
  int max_depth = 64;
};

struct YamlError {
  // In the whole file, from 1.
  int line = 0;
  std::string reason;
};

// A document of a stream: its text, and the line on which that begins.
struct YamlDocument {
  std::string_view text;
  int line = 1;
};

// Cuts a stream at its document markers, so that each document stands or falls alone. Documents
// without content (white space, comments, %YAML) are left out.
std::vector<YamlDocument> SplitYaml(std::string_view stream);

// The root is never null.
std::variant<YamlNodePtr, YamlError> ReadYaml(const YamlDocument& document,
                                              const YamlLimits& limits = {});

// Block style, two spaces; strings that would read back as something else are quoted.
std::string WriteYaml(const YamlNode& root);

}  // namespace krypton::resource
