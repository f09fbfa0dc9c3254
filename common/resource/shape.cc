#include "common/resource/shape.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "boost/json.hpp"
#include "common/config/suggest.h"
#include "common/config/utf8.h"
#include "common/resource/fields.h"
#include "common/resource/syntax.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace krypton::resource {
namespace {

constexpr std::string_view kData =
#include "common/resource/shape_data.inc"
    ;

constexpr size_t kUnbounded = std::numeric_limits<size_t>::max();

enum class ShapeType { kString, kBoolean, kInt32, kInt64, kIntOrString, kObject, kList };

struct Shape {
  ShapeType type = ShapeType::kObject;
  size_t min_length = 0;
  // Of a string in characters, of a list in items, of a map in entries.
  size_t max_size = kUnbounded;
  bool quantity = false;
  std::vector<std::string_view> words;
  std::vector<std::string_view> required;
  // The fields by which a list's items must differ.
  std::vector<std::string_view> keys;
  std::map<std::string_view, const Shape*> fields;
  const Shape* items = nullptr;
  const Shape* values = nullptr;
};

// The data as shapes, kept for ever; it is ours, and its tests read all of it.
class Shapes {
 public:
  Shapes() : data_(boost::json::parse({kData.data(), kData.size()})) {
    for (const auto& type : data_.at("types").as_array()) types_.push_back(Read(type));
    agent_ = Read(data_.at("specs").at("Agent"));
    model_ = Read(data_.at("specs").at("Model"));
  }

  const Shape* Of(v1::ResourceKind kind) const {
    switch (kind) {
      case v1::RESOURCE_KIND_AGENT:
        return agent_;
      case v1::RESOURCE_KIND_MODEL:
        return model_;
      default:
        return nullptr;
    }
  }

 private:
  static ShapeType TypeNamed(std::string_view name) {
    if (name == "string") return ShapeType::kString;
    if (name == "boolean") return ShapeType::kBoolean;
    if (name == "int32") return ShapeType::kInt32;
    if (name == "integer") return ShapeType::kInt64;
    if (name == "int-or-string") return ShapeType::kIntOrString;
    return name == "array" ? ShapeType::kList : ShapeType::kObject;
  }

  static std::vector<std::string_view> Words(const boost::json::object& object,
                                             std::string_view key) {
    std::vector<std::string_view> words;
    if (const auto* list = object.if_contains({key.data(), key.size()})) {
      for (const auto& word : list->as_array()) {
        words.emplace_back(word.as_string().data(), word.as_string().size());
      }
    }
    return words;
  }

  const Shape* Read(const boost::json::value& value) {
    const boost::json::object& object = value.as_object();
    if (const auto* ref = object.if_contains("ref")) return types_.at(ref->to_number<size_t>());
    Shape shape;
    const auto& type = object.at("t").as_string();
    shape.type = TypeNamed({type.data(), type.size()});
    for (const char* bound : {"maxLength", "maxItems", "maxProperties"}) {
      if (const auto* size = object.if_contains(bound)) shape.max_size = size->to_number<size_t>();
    }
    if (const auto* size = object.if_contains("minLength")) {
      shape.min_length = size->to_number<size_t>();
    }
    shape.quantity = object.contains("quantity");
    shape.words = Words(object, "enum");
    shape.required = Words(object, "required");
    shape.keys = Words(object, "keys");
    if (const auto* fields = object.if_contains("fields")) {
      for (const auto& field : fields->as_object()) {
        shape.fields[{field.key().data(), field.key().size()}] = Read(field.value());
      }
    }
    if (const auto* items = object.if_contains("items")) shape.items = Read(*items);
    if (const auto* values = object.if_contains("values")) shape.values = Read(*values);
    return &kept_.emplace_back(std::move(shape));
  }

  const boost::json::value data_;
  std::deque<Shape> kept_;
  std::vector<const Shape*> types_;
  const Shape* agent_ = nullptr;
  const Shape* model_ = nullptr;
};

class Checker {
 public:
  std::vector<FieldProblem> Take() { return std::move(problems_); }

  void Check(const YamlNode& node, const Shape& shape, const std::string& path) {
    switch (shape.type) {
      case ShapeType::kObject:
        return Object(node, shape, path);
      case ShapeType::kList:
        return List(node, shape, path);
      default:
        if (!Expect(node, YamlNode::Type::kScalar, path, NameOf(shape.type))) return;
        return Scalar(node, shape, path);
    }
  }

 private:
  void Problem(const std::string& path, const YamlNode& node, std::string text) {
    problems_.push_back({path, node.line, std::move(text)});
  }

  static std::string_view NameOf(ShapeType type) {
    switch (type) {
      case ShapeType::kString:
        return "a string";
      case ShapeType::kBoolean:
        return "true or false";
      case ShapeType::kIntOrString:
        return "an integer or a string";
      default:
        return "an integer";
    }
  }

  bool Expect(const YamlNode& node, YamlNode::Type type, const std::string& path,
              std::string_view what) {
    if (node.type == type) return true;
    Problem(path, node, fmt::format("must be {}, not {}", what, DescribeNode(node)));
    return false;
  }

  void AtMost(const YamlNode& node, const std::string& path, size_t size, size_t most,
              std::string_view unit) {
    if (size > most) Problem(path, node, fmt::format("has {} {}; at most {}", size, unit, most));
  }

  void Object(const YamlNode& node, const Shape& shape, const std::string& path) {
    if (!Expect(node, YamlNode::Type::kMapping, path, "a mapping")) return;
    AtMost(node, path, node.entries.size(), shape.max_size, "entries");
    for (const YamlEntry& entry : node.entries) {
      const auto field = shape.fields.find(entry.key);
      const Shape* inner = field != shape.fields.end() ? field->second : shape.values;
      if (inner == nullptr) {
        Unknown(entry, shape, path);
      } else if (entry.value->type != YamlNode::Type::kNull) {  // As if it were not there.
        Check(*entry.value, *inner, Join(path, entry.key));
      }
    }
    for (const std::string_view name : shape.required) {
      const YamlNode* value = node.Find(name);
      if (value == nullptr || value->type == YamlNode::Type::kNull) {
        Problem(Join(path, name), node, "is required");
      }
    }
  }

  void Unknown(const YamlEntry& entry, const Shape& shape, const std::string& path) {
    std::vector<std::string_view> known;
    for (const auto& [name, inner] : shape.fields) known.push_back(name);
    problems_.push_back({Join(path, entry.key), entry.line,
                         "is not a known field" + config::DidYouMean(entry.key, known)});
  }

  void List(const YamlNode& node, const Shape& shape, const std::string& path) {
    if (!Expect(node, YamlNode::Type::kSequence, path, "a list")) return;
    AtMost(node, path, node.items.size(), shape.max_size, "items");
    std::set<std::string> seen;
    for (size_t i = 0; i < node.items.size(); ++i) {
      Check(*node.items[i], *shape.items, Join(path, i));
      if (!shape.keys.empty()) KeyOnce(*node.items[i], shape, Join(path, i), seen);
    }
  }

  void KeyOnce(const YamlNode& item, const Shape& shape, const std::string& path,
               std::set<std::string>& seen) {
    std::string key;
    for (const std::string_view name : shape.keys) {
      const YamlNode* value = item.Find(name);
      if (value == nullptr || value->type != YamlNode::Type::kScalar) return;
      key += value->scalar + '\n';
    }
    if (seen.insert(key).second) return;
    key.pop_back();
    std::replace(key.begin(), key.end(), '\n', ' ');
    Problem(Join(path, shape.keys.front()), item,
            fmt::format("\"{}\" comes twice", key.substr(0, 80)));
  }

  void Scalar(const YamlNode& node, const Shape& shape, const std::string& path) {
    const ScalarType type = TypeOf(node);
    const bool text = type == ScalarType::kString;
    switch (shape.type) {
      case ShapeType::kBoolean:
        if (type != ScalarType::kBool) Wrong(node, shape, path);
        return;
      case ShapeType::kInt32:
        return Integer<int32_t>(node, shape, path);
      case ShapeType::kInt64:
        return Integer<int64_t>(node, shape, path);
      case ShapeType::kIntOrString:
        return text ? Text(node, shape, path) : Integer<int64_t>(node, shape, path);
      default:
        return text ? Text(node, shape, path) : Wrong(node, shape, path);
    }
  }

  void Wrong(const YamlNode& node, const Shape& shape, const std::string& path) {
    const bool quotes = shape.type == ShapeType::kString || shape.type == ShapeType::kIntOrString;
    Problem(path, node,
            fmt::format("must be {}, not {}{}", NameOf(shape.type), DescribeNode(node),
                        quotes ? "; put it in quotes" : ""));
  }

  template <typename Number>
  void Integer(const YamlNode& node, const Shape& shape, const std::string& path) {
    if (TypeOf(node) != ScalarType::kInteger) return Wrong(node, shape, path);
    Number number = 0;
    const char* begin = node.scalar.data() + (node.scalar.starts_with('+') ? 1 : 0);
    const char* end = node.scalar.data() + node.scalar.size();
    const auto [at, error] = std::from_chars(begin, end, number);
    if (at != end || error != std::errc()) {
      Problem(path, node, fmt::format("{} is far out of range", node.scalar.substr(0, 40)));
    }
  }

  void Text(const YamlNode& node, const Shape& shape, const std::string& path) {
    const std::string& text = node.scalar;
    const size_t length = config::CountCharacters(text);
    AtMost(node, path, length, shape.max_size, "characters");
    if (length < shape.min_length) Problem(path, node, "is empty");
    if (shape.quantity && !IsQuantity(text)) {
      Problem(path, node,
              fmt::format("\"{}\" is not a quantity like 500m, 1.5 or 1Gi", text.substr(0, 80)));
    }
    if (shape.words.empty()) return;
    if (std::find(shape.words.begin(), shape.words.end(), text) != shape.words.end()) return;
    Problem(path, node,
            fmt::format("\"{}\" is not one of {}{}", text.substr(0, 80),
                        fmt::join(shape.words, ", "), config::DidYouMean(text, shape.words)));
  }

  std::vector<FieldProblem> problems_;
};

}  // namespace

std::vector<FieldProblem> CheckShape(v1::ResourceKind kind, const YamlNode& spec) {
  static const Shapes* const kShapes = new Shapes();
  const Shape* shape = kShapes->Of(kind);
  if (shape == nullptr || spec.type != YamlNode::Type::kMapping) return {};
  Checker checker;
  checker.Check(spec, *shape, "spec");
  return checker.Take();
}

}  // namespace krypton::resource
