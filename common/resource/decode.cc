#include "common/resource/decode.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "common/config/duration.h"
#include "common/config/suggest.h"
#include "common/resource/fields.h"
#include "common/resource/words.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/struct.pb.h"
#include "krypton/v1/agent.pb.h"
#include "krypton/v1/resource.pb.h"

namespace krypton::resource {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// What the API server sets; read over, so that `kubectl get -o yaml` can be given back.
constexpr std::string_view kServerSet[] = {"uid",           "generation", "creationTimestamp",
                                           "managedFields", "selfLink",   "resourceVersion"};

class Decoder {
 public:
  Decoded Take() { return std::move(out_); }

  void Resource(const YamlNode& root, Message* resource) {
    for (const YamlEntry& entry : root.entries) {
      if (entry.key == "apiVersion" || entry.key == "kind" || entry.key == "status") continue;
      if (entry.key == "metadata" || entry.key == "spec") {
        const FieldDescriptor* field = resource->GetDescriptor()->FindFieldByName(entry.key);
        Sub(*entry.value, resource->GetReflection()->MutableMessage(resource, field), entry.key);
        continue;
      }
      Unknown(entry, "", {"apiVersion", "kind", "metadata", "spec"});
    }
  }

 private:
  void Problem(const std::string& path, int line, std::string text) {
    out_.problems.push_back({path, line, std::move(text)});
  }

  void Unknown(const YamlEntry& entry, std::string_view path,
               const std::vector<std::string_view>& known) {
    Problem(Join(path, entry.key), entry.line,
            "is not a known field" + config::DidYouMean(entry.key, known));
  }

  bool Expect(const YamlNode& node, YamlNode::Type type, const std::string& path,
              std::string_view what) {
    if (node.type == type) return true;
    Problem(path, node.line, fmt::format("must be {}, not {}", what, DescribeNode(node)));
    return false;
  }

  // The fields of a message, in the mapping's order.
  void Sub(const YamlNode& node, Message* message, const std::string& path) {
    if (node.type == YamlNode::Type::kNull) return;
    if (!Expect(node, YamlNode::Type::kMapping, path, "a mapping")) return;
    const bool is_metadata = message->GetDescriptor() == v1::ObjectMeta::descriptor();
    const std::vector<ManifestField> fields = FieldsOf(*message->GetDescriptor());
    for (const YamlEntry& entry : node.entries) {
      const bool server_set = is_metadata && std::find(std::begin(kServerSet), std::end(kServerSet),
                                                       entry.key) != std::end(kServerSet);
      if (server_set) continue;
      const auto found =
          std::find_if(fields.begin(), fields.end(),
                       [&](const ManifestField& field) { return field.name == entry.key; });
      if (found == fields.end()) {
        std::vector<std::string_view> known;
        known.reserve(fields.size());
        for (const ManifestField& field : fields) known.push_back(field.name);
        Unknown(entry, path, known);
      } else if (entry.value->type != YamlNode::Type::kNull) {
        const std::string field_path = Join(path, entry.key);
        out_.lines[field_path] = entry.line;
        Field(*entry.value, found->in_pod ? PodOf(message) : message, *found->field, field_path);
      }
    }
  }

  static Message* PodOf(Message* spec) {
    return spec->GetReflection()->MutableMessage(spec,
                                                 spec->GetDescriptor()->FindFieldByName("pod"));
  }

  void Field(const YamlNode& node, Message* message, const FieldDescriptor& field,
             const std::string& path) {
    if (field.is_map()) return StringMap(node, message, field, path);
    if (field.is_repeated()) return List(node, message, field, path);
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return Scalar(node, message, field, path);
    }
    if (IsSharedAffinity(field)) return SharedAffinity(node, message, field, path);
    Value(node, message->GetReflection()->MutableMessage(message, &field), path);
  }

  // One message, by what it is.
  void Value(const YamlNode& node, Message* message, const std::string& path) {
    if (message->GetDescriptor() == google::protobuf::Duration::descriptor()) {
      return Duration(node, static_cast<google::protobuf::Duration*>(message), path);
    }
    if (message->GetDescriptor() == google::protobuf::Struct::descriptor()) {
      if (!Expect(node, YamlNode::Type::kMapping, path, "a mapping")) return;
      return Free(node, static_cast<google::protobuf::Struct*>(message));
    }
    Sub(node, message, path);
  }

  void List(const YamlNode& node, Message* message, const FieldDescriptor& field,
            const std::string& path) {
    if (!Expect(node, YamlNode::Type::kSequence, path, "a list")) return;
    const auto* reflection = message->GetReflection();
    for (size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = *node.items[i];
      const std::string item_path = Join(path, i);
      out_.lines[item_path] = item.line;
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        if (!Expect(item, YamlNode::Type::kMapping, item_path, "a mapping")) continue;
        Value(item, reflection->AddMessage(message, &field), item_path);
      } else if (IsNameList(field)) {
        Name(item, message, field, item_path);
      } else if (IsString(item, item_path)) {
        reflection->AddString(message, &field, item.scalar);
      }
    }
  }

  void Name(const YamlNode& item, Message* message, const FieldDescriptor& field,
            const std::string& path) {
    if (!Expect(item, YamlNode::Type::kMapping, path, "a mapping {name: ...}")) return;
    for (const YamlEntry& entry : item.entries) {
      if (entry.key != "name") Unknown(entry, path, {"name"});
    }
    const YamlNode* name = item.Find("name");
    if (name == nullptr) return Problem(path, item.line, "needs a name");
    if (IsString(*name, Join(path, "name"))) {
      message->GetReflection()->AddString(message, &field, name->scalar);
    }
  }

  // A map of strings; quantities may stand without quotes, as in Kubernetes.
  void StringMap(const YamlNode& node, Message* message, const FieldDescriptor& field,
                 const std::string& path) {
    if (!Expect(node, YamlNode::Type::kMapping, path, "a mapping")) return;
    const bool quantities = field.containing_type() == v1::ResourceRequirements::descriptor();
    const auto* key_field = field.message_type()->map_key();
    const auto* value_field = field.message_type()->map_value();
    for (const YamlEntry& entry : node.entries) {
      // As if it were not there, which is how a cluster takes it.
      const bool of_spec = field.containing_type() != v1::ObjectMeta::descriptor();
      if (of_spec && entry.value->type == YamlNode::Type::kNull) continue;
      const std::string entry_path = Join(path, entry.key);
      out_.lines[entry_path] = entry.line;
      const bool number = quantities && entry.value->type == YamlNode::Type::kScalar &&
                          TypeOf(*entry.value) != ScalarType::kBool;
      if (!number && !IsString(*entry.value, entry_path)) continue;
      Message* pair = message->GetReflection()->AddMessage(message, &field);
      pair->GetReflection()->SetString(pair, key_field, entry.key);
      pair->GetReflection()->SetString(pair, value_field, entry.value->scalar);
    }
  }

  bool IsString(const YamlNode& node, const std::string& path) {
    if (!Expect(node, YamlNode::Type::kScalar, path, "a string")) return false;
    if (TypeOf(node) == ScalarType::kString) return true;
    Problem(path, node.line,
            fmt::format("must be a string, not {}; put it in quotes", DescribeNode(node)));
    return false;
  }

  void Scalar(const YamlNode& node, Message* message, const FieldDescriptor& field,
              const std::string& path) {
    const auto* reflection = message->GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        if (const auto number = Integer(node, path)) {
          reflection->SetInt32(message, &field, *number);
        }
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        if (node.type == YamlNode::Type::kScalar && TypeOf(node) == ScalarType::kBool) {
          reflection->SetBool(message, &field, BoolOf(node));
        } else {
          Problem(path, node.line,
                  fmt::format("must be true or false, not {}", DescribeNode(node)));
        }
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        if (const auto number = Enum(node, *field.enum_type(), path)) {
          reflection->SetEnumValue(message, &field, *number);
        }
        break;
      default:
        if (IsString(node, path)) reflection->SetString(message, &field, node.scalar);
    }
  }

  std::optional<int32_t> Integer(const YamlNode& node, const std::string& path) {
    if (!Expect(node, YamlNode::Type::kScalar, path, "an integer")) return std::nullopt;
    int32_t number = 0;
    const char* begin = node.scalar.data() + (node.scalar.starts_with('+') ? 1 : 0);
    const char* end = node.scalar.data() + node.scalar.size();
    const auto [at, error] = std::from_chars(begin, end, number);
    if (TypeOf(node) == ScalarType::kInteger && at == end && error == std::errc()) return number;
    const bool large = error == std::errc::result_out_of_range && at == end && !node.quoted;
    Problem(path, node.line,
            large ? fmt::format("{} is far out of range", node.scalar.substr(0, 40))
                  : fmt::format("must be an integer, not {}", DescribeNode(node)));
    return std::nullopt;
  }

  std::optional<int> Enum(const YamlNode& node, const google::protobuf::EnumDescriptor& type,
                          const std::string& path) {
    if (!IsString(node, path)) return std::nullopt;
    if (const auto number = NumberOf(type, node.scalar)) return number;
    const auto words = WordsOf(type);
    Problem(path, node.line,
            fmt::format("\"{}\" is not one of {}{}", node.scalar.substr(0, 80),
                        fmt::join(words, ", "), config::DidYouMean(node.scalar, words)));
    return std::nullopt;
  }

  void Duration(const YamlNode& node, google::protobuf::Duration* duration,
                const std::string& path) {
    if (!Expect(node, YamlNode::Type::kScalar, path, "a duration like 300s or 1h30m")) return;
    const auto parsed = config::ParseDuration(node.scalar);
    if (!parsed.ok() || TypeOf(node) != ScalarType::kString) {
      const bool number = TypeOf(node) != ScalarType::kString;
      return Problem(path, node.line,
                     fmt::format("must be a duration like 300s or 1h30m, not {}{}",
                                 DescribeNode(node), number ? ", which has no unit" : ""));
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*parsed);
    duration->set_seconds(seconds.count());
    duration->set_nanos(static_cast<int32_t>((*parsed - seconds).count()));
  }

  void SharedAffinity(const YamlNode& node, Message* spec, const FieldDescriptor& field,
                      const std::string& path) {
    if (!Expect(node, YamlNode::Type::kMapping, path, "a mapping")) return;
    auto* affinity =
        static_cast<v1::Affinity*>(spec->GetReflection()->MutableMessage(spec, &field));
    auto* pod = static_cast<v1::PodTemplate*>(PodOf(spec));
    for (const YamlEntry& entry : node.entries) {
      const std::string entry_path = Join(path, entry.key);
      out_.lines[entry_path] = entry.line;
      if (entry.key == "header") {
        if (IsString(*entry.value, entry_path)) affinity->set_header(entry.value->scalar);
      } else if (IsPodAffinityKey(entry.key)) {
        Free(*entry.value, &(*pod->mutable_affinity()->mutable_fields())[entry.key]);
      } else {
        Unknown(entry, path, {"header", "nodeAffinity", "podAffinity", "podAntiAffinity"});
      }
    }
    if (affinity->header().empty() && node.Find("header") == nullptr) {
      spec->GetReflection()->ClearField(spec, &field);
    }
  }

  // What Kubernetes defines is passed through as it is.
  void Free(const YamlNode& node, google::protobuf::Struct* out) {
    for (const YamlEntry& entry : node.entries) {
      Free(*entry.value, &(*out->mutable_fields())[entry.key]);
    }
  }

  void Free(const YamlNode& node, google::protobuf::Value* out) {
    switch (node.type) {
      case YamlNode::Type::kNull:
        out->set_null_value(google::protobuf::NULL_VALUE);
        break;
      case YamlNode::Type::kSequence:
        out->mutable_list_value();
        for (const YamlNodePtr& item : node.items) {
          Free(*item, out->mutable_list_value()->add_values());
        }
        break;
      case YamlNode::Type::kMapping:
        Free(node, out->mutable_struct_value());
        break;
      case YamlNode::Type::kScalar:
        FreeScalar(node, out);
    }
  }

  static void FreeScalar(const YamlNode& node, google::protobuf::Value* out) {
    double number = 0;
    const char* end = node.scalar.data() + node.scalar.size();
    switch (TypeOf(node)) {
      case ScalarType::kBool:
        return out->set_bool_value(BoolOf(node));
      case ScalarType::kInteger:
      case ScalarType::kFloat:
        if (const auto [at, error] = std::from_chars(node.scalar.data(), end, number);
            error == std::errc() && at == end && std::isfinite(number)) {
          return out->set_number_value(number);
        }
        [[fallthrough]];
      case ScalarType::kString:
        out->set_string_value(node.scalar);
    }
  }

  Decoded out_;
};

}  // namespace

Decoded DecodeResource(const YamlNode& root, Message* resource) {
  Decoder decoder;
  decoder.Resource(root, resource);
  return decoder.Take();
}

}  // namespace krypton::resource
