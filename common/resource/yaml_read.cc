#include <algorithm>
#include <istream>
#include <streambuf>
#include <unordered_map>

#include "absl/container/flat_hash_set.h"
#include "common/config/utf8.h"
#include "common/resource/yaml_tree.h"
#include "fmt/format.h"
#include "yaml-cpp/anchor.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/yaml.h"

namespace krypton::resource {
namespace {

constexpr std::string_view kYamlTag = "tag:yaml.org,2002:";

// Reads a view in place: std::istringstream would copy it.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());
    setg(begin, begin, begin + text.size());
  }
};

bool IsCoreTag(std::string_view tag) {
  if (tag.empty() || tag == "?" || tag == "!") return true;
  if (tag.substr(0, kYamlTag.size()) != kYamlTag) return false;
  const std::string_view name = tag.substr(kYamlTag.size());
  return name == "str" || name == "int" || name == "float" || name == "bool" || name == "null" ||
         name == "map" || name == "seq";
}

bool SaysString(std::string_view tag) {
  return tag == "!" || (tag.substr(0, kYamlTag.size()) == kYamlTag && tag.ends_with(":str"));
}

// Builds the tree from yaml-cpp's events. The first error stops it: later events are ignored.
class Builder : public YAML::EventHandler {
 public:
  Builder(int first_line, const YamlLimits& limits) : first_line_(first_line), limits_(limits) {}

  YamlNodePtr root() const { return root_; }
  bool failed() const { return !error_.reason.empty(); }
  const YamlError& error() const { return error_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark&, const std::string&) override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (failed()) return;
    Complete(New(mark, YamlNode::Type::kNull), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (failed()) return;
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) return Fail(mark, "the alias stands inside its own anchor");
    Attach(found->second, LineOf(mark));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (failed() || !CheckTag(mark, tag)) return;
    if (value.size() > limits_.max_scalar_bytes) {
      return Fail(mark, fmt::format("a value of {} bytes; at most {} are taken", value.size(),
                                    limits_.max_scalar_bytes));
    }
    auto node = New(mark, YamlNode::Type::kScalar);
    node->scalar = value;
    node->quoted = SaysString(tag);
    Complete(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Type::kSequence);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Type::kMapping);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    std::shared_ptr<YamlNode> node;
    YAML::anchor_t anchor;
    // Of a mapping: the key whose value comes next.
    bool has_key = false;
    std::string key;
    int key_line = 0;
    absl::flat_hash_set<std::string> keys;
  };

  int LineOf(const YAML::Mark& mark) const { return first_line_ + std::max(mark.line, 0); }

  void Fail(const YAML::Mark& mark, std::string reason) { FailAt(LineOf(mark), std::move(reason)); }
  void FailAt(int line, std::string reason) {
    if (!failed()) error_ = YamlError{line, std::move(reason)};
  }

  std::shared_ptr<YamlNode> New(const YAML::Mark& mark, YamlNode::Type type) const {
    auto node = std::make_shared<YamlNode>();
    node->type = type;
    node->line = LineOf(mark);
    return node;
  }

  bool CheckTag(const YAML::Mark& mark, const std::string& tag) {
    if (IsCoreTag(tag)) return true;
    Fail(mark,
         fmt::format("the tag {} is not taken: only YAML's own types are", tag.substr(0, 80)));
    return false;
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Type type) {
    if (failed() || !CheckTag(mark, tag)) return;
    if (static_cast<int>(stack_.size()) >= limits_.max_depth) {
      return Fail(mark, fmt::format("nested deeper than {}", limits_.max_depth));
    }
    stack_.push_back(Frame{New(mark, type), anchor, false, {}, 0, {}});
  }

  void Close() {
    if (failed()) return;
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    Complete(std::move(frame.node), frame.anchor);
  }

  void Complete(std::shared_ptr<YamlNode> node, YAML::anchor_t anchor) {
    const int line = node->line;
    if (anchor != YAML::NullAnchor) anchors_[anchor] = node;
    Attach(std::move(node), line);
  }

  // Hangs a finished node under the one that is open.
  void Attach(YamlNodePtr node, int line) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    frame.node->size += node->size;
    if (frame.node->size > limits_.max_nodes) {
      return FailAt(line, fmt::format("more than {} values, aliases followed", limits_.max_nodes));
    }
    if (frame.node->type == YamlNode::Type::kSequence) {
      frame.node->items.push_back(std::move(node));
    } else if (frame.has_key) {
      frame.has_key = false;
      frame.node->entries.push_back({std::move(frame.key), frame.key_line, std::move(node)});
    } else {
      TakeKey(frame, *node, line);
    }
  }

  void TakeKey(Frame& frame, const YamlNode& node, int line) {
    if (node.type != YamlNode::Type::kScalar) {
      return FailAt(line, "a key must be a plain word, not " + DescribeNode(node));
    }
    if (node.scalar == "<<" && !node.quoted) {
      return FailAt(line, "merge keys (<<) are not taken; write the fields out");
    }
    if (!frame.keys.insert(node.scalar).second) {
      return FailAt(line, fmt::format("the key \"{}\" comes twice", node.scalar.substr(0, 80)));
    }
    frame.has_key = true;
    frame.key = node.scalar;
    frame.key_line = line;
  }

  const int first_line_;
  const YamlLimits limits_;
  std::vector<Frame> stack_;
  // Finished nodes only: an alias to an unfinished one would be a cycle.
  std::unordered_map<YAML::anchor_t, YamlNodePtr> anchors_;
  YamlNodePtr root_;
  YamlError error_;
};

}  // namespace

std::variant<YamlNodePtr, YamlError> ReadYaml(const YamlDocument& document,
                                              const YamlLimits& limits) {
  if (const size_t at = config::FindInvalidUtf8(document.text); at != std::string_view::npos) {
    const auto lines = std::count(document.text.begin(), document.text.begin() + at, '\n');
    return YamlError{document.line + static_cast<int>(lines), "not UTF-8"};
  }
  ViewBuffer buffer(document.text);
  std::istream stream(&buffer);
  Builder builder(document.line, limits);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    if (!builder.failed() && builder.root() != nullptr && parser.HandleNextDocument(builder)) {
      return YamlError{document.line, "more than one document without a --- between them"};
    }
  } catch (const YAML::Exception& error) {
    if (!builder.failed()) {
      const int line = std::max(error.mark.line, 0);
      return YamlError{document.line + line, fmt::format("not YAML: {}", error.msg)};
    }
  }
  if (builder.failed()) return builder.error();
  if (builder.root() == nullptr) return YamlError{document.line, "no content"};
  return builder.root();
}

}  // namespace krypton::resource
