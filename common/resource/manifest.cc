#include "common/resource/manifest.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/config/suggest.h"
#include "common/resource/decode.h"
#include "common/resource/rules.h"
#include "common/resource/shape.h"
#include "common/resource/words.h"
#include "common/resource/yaml_tree.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace krypton::resource {
namespace {

constexpr std::string_view kApiVersion = "krypton.ai/v1alpha1";

// The line of a field, or of the nearest thing around it that the document says.
int LineOf(const Decoded& decoded, std::string field, int document_line) {
  while (!field.empty()) {
    if (const auto found = decoded.lines.find(field); found != decoded.lines.end()) {
      return found->second;
    }
    const size_t cut = field.find_last_of(".[");
    field.resize(cut == std::string::npos ? 0 : cut);
  }
  return document_line;
}

// A reason quotes what the file says; on a terminal it stays one line of plain text.
std::string OneLine(std::string text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else {
      out += c == '\n' ? "\\n" : fmt::format("\\x{:02x}", byte);
    }
  }
  return out;
}

class Reader {
 public:
  Reader(std::string_view file, Target target, const ManifestLimits& limits)
      : file_(file), target_(target), limits_(limits) {}

  Manifest Take() {
    if (dropped_ > 0) {
      Problem(0, 0, {}, "", fmt::format("and {} more problems in this file", dropped_));
    }
    return std::move(manifest_);
  }

  void File(std::string_view yaml) {
    if (yaml.size() > limits_.max_file_bytes) {
      return Problem(0, 0, {}, "",
                     fmt::format("a file of {} bytes; at most {} are read", yaml.size(),
                                 limits_.max_file_bytes));
    }
    const std::vector<YamlDocument> documents = SplitYaml(yaml);
    if (documents.size() > static_cast<size_t>(limits_.max_documents)) {
      return Problem(0, 0, {}, "",
                     fmt::format("{} documents; at most {} are read", documents.size(),
                                 limits_.max_documents));
    }
    for (size_t i = 0; i < documents.size(); ++i) {
      document_ = static_cast<int>(i) + 1;
      Document(documents[i]);
    }
  }

 private:
  void Problem(int document, int line, const v1::ResourceKey& key, std::string field,
               std::string reason) {
    if (document > 0 && manifest_.problems.size() >= limits_.max_problems) {
      ++dropped_;
      return;
    }
    v1::ManifestProblem problem;
    problem.set_file(file_);
    problem.set_document(document);
    problem.set_line(line);
    if (!key.name().empty()) *problem.mutable_key() = key;
    problem.set_field(std::move(field));
    problem.set_reason(OneLine(std::move(reason)));
    manifest_.problems.push_back(std::move(problem));
  }

  // A problem of a resource that has a name: `agent "default/echo": spec.port 70000 is not ...`.
  void FieldProblem(const v1::ResourceKey& key, int line, const std::string& field,
                    const std::string& text) {
    std::string reason = key.name().empty() ? "" : Describe(key) + ": ";
    reason += field.empty() ? text : field + " " + text;
    Problem(document_, line, key, field, std::move(reason));
  }

  void Document(const YamlDocument& document) {
    const auto read =
        ReadYaml(document, {limits_.max_scalar_bytes, limits_.max_nodes, limits_.max_depth});
    if (const auto* error = std::get_if<YamlError>(&read)) {
      return Problem(document_, error->line, {}, "", error->reason);
    }
    const YamlNode& root = *std::get<YamlNodePtr>(read);
    if (root.type == YamlNode::Type::kNull) return;
    if (root.type != YamlNode::Type::kMapping) {
      return Problem(
          document_, root.line, {}, "",
          "a document must be a mapping with apiVersion and kind, not " + DescribeNode(root));
    }
    const v1::ResourceKey key = KeyOf(root);
    if (!CheckType(root, key)) return;
    if (key.kind() == v1::RESOURCE_KIND_AGENT) {
      Typed<v1::Agent>(root, key);
    } else {
      Typed<v1::Model>(root, key);
    }
  }

  // As far as the document says it, right or wrong.
  static v1::ResourceKey KeyOf(const YamlNode& root) {
    v1::ResourceKey key;
    if (const YamlNode* kind = root.Find("kind"); kind != nullptr) {
      key.set_kind(
          FromWord<v1::ResourceKind>(kind->scalar).value_or(v1::RESOURCE_KIND_UNSPECIFIED));
    }
    const YamlNode* metadata = root.Find("metadata");
    const YamlNode* name = metadata == nullptr ? nullptr : metadata->Find("name");
    const YamlNode* name_space = metadata == nullptr ? nullptr : metadata->Find("namespace");
    if (name != nullptr) key.set_name(name->scalar.substr(0, 253));
    key.set_namespace_(name_space == nullptr || name_space->scalar.empty()
                           ? "default"
                           : name_space->scalar.substr(0, 253));
    return key;
  }

  bool CheckType(const YamlNode& root, const v1::ResourceKey& key) {
    const auto check = [&](const char* field, const std::vector<std::string_view>& words) {
      const YamlNode* node = root.Find(field);
      if (node == nullptr) {
        FieldProblem(key, root.line, field,
                     fmt::format("is missing: {}", fmt::join(words, " or ")));
        return false;
      }
      if (std::find(words.begin(), words.end(), node->scalar) != words.end()) return true;
      const std::string shown = node->type == YamlNode::Type::kScalar
                                    ? fmt::format("\"{}\"", node->scalar.substr(0, 80))
                                    : DescribeNode(*node);
      FieldProblem(key, node->line, field,
                   fmt::format("{} is not {}{}", shown, fmt::join(words, " or "),
                               config::DidYouMean(node->scalar, words)));
      return false;
    };
    const bool version = check("apiVersion", {kApiVersion});
    return check("kind", {"Agent", "Model"}) && version;
  }

  // What the definitions refuse and the protos do not know; a field is complained of once.
  static void AddShape(const YamlNode& root, v1::ResourceKind kind, Decoded& decoded) {
    const YamlNode* spec = root.Find("spec");
    if (spec == nullptr) return;
    std::set<std::string> said;
    for (const resource::FieldProblem& problem : decoded.problems) said.insert(problem.field);
    for (resource::FieldProblem& problem : CheckShape(kind, *spec)) {
      if (said.insert(problem.field).second) decoded.problems.push_back(std::move(problem));
    }
  }

  template <typename T>
  void Typed(const YamlNode& root, const v1::ResourceKey& key) {
    T resource;
    Decoded decoded = DecodeResource(root, &resource);
    AddShape(root, key.kind(), decoded);
    for (const auto& problem : decoded.problems) {
      FieldProblem(key, problem.line, problem.field, problem.text);
    }
    SetDefaults(&resource);
    Subject subject(resource);
    subject.target = target_;
    bool valid = decoded.problems.empty();
    for (const Violation& violation : Validate(subject)) {
      // A field that could not be read has been said already.
      const bool said = std::any_of(
          decoded.problems.begin(), decoded.problems.end(),
          [&](const auto& problem) { return problem.field.starts_with(violation.field); });
      if (said) continue;
      valid = false;
      FieldProblem(key, LineOf(decoded, violation.field, root.line), violation.field,
                   violation.text);
    }
    if (valid) Keep(std::make_shared<const Resource>(std::move(resource)), root.line);
  }

  void Keep(std::shared_ptr<const Resource> resource, int line) {
    // An agent and a model of one name exclude each other too, but which of the two runs is for
    // the manager to say: it knows which was there first.
    const auto same = [&](const ManifestResource& other) {
      return KeyEqual()(other.resource->key(), resource->key());
    };
    const auto first = std::find_if(manifest_.resources.begin(), manifest_.resources.end(), same);
    if (first != manifest_.resources.end()) {
      return FieldProblem(resource->key(), line, "metadata.name",
                          fmt::format("is taken by the {} of document {} in this file",
                                      KindWord(first->resource->kind()), first->document));
    }
    manifest_.resources.push_back({std::move(resource), document_, line});
  }

  const std::string file_;
  const Target target_;
  const ManifestLimits limits_;
  int document_ = 0;
  size_t dropped_ = 0;
  Manifest manifest_;
};

}  // namespace

Manifest ParseManifest(std::string_view file, std::string_view yaml, Target target,
                       const ManifestLimits& limits) {
  Reader reader(file, target, limits);
  reader.File(yaml);
  return reader.Take();
}

std::string ToString(const v1::ManifestProblem& problem) {
  if (problem.file().empty()) return problem.reason();
  std::string where = problem.file();
  if (problem.line() > 0) where += fmt::format(":{}", problem.line());
  if (problem.document() > 0) where += fmt::format(" (document {})", problem.document());
  return fmt::format("{}: {}", where, problem.reason());
}

}  // namespace krypton::resource
