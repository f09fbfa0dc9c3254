#include <algorithm>
#include <cmath>

#include "common/config/duration.h"
#include "common/resource/fields.h"
#include "common/resource/manifest.h"
#include "common/resource/words.h"
#include "common/resource/yaml_tree.h"
#include "fmt/format.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/time_util.h"

namespace krypton::resource {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::shared_ptr<YamlNode> NewNode(YamlNode::Type type) {
  auto node = std::make_shared<YamlNode>();
  node->type = type;
  return node;
}

YamlNodePtr Scalar(std::string text, bool quoted) {
  auto node = NewNode(YamlNode::Type::kScalar);
  node->scalar = std::move(text);
  node->quoted = quoted;
  return node;
}

YamlNodePtr Text(std::string text) { return Scalar(std::move(text), true); }

void Add(YamlNode* mapping, std::string_view key, YamlNodePtr value) {
  mapping->entries.push_back({std::string(key), 0, std::move(value)});
}

void SortEntries(YamlNode* mapping) {
  std::sort(mapping->entries.begin(), mapping->entries.end(),
            [](const YamlEntry& a, const YamlEntry& b) { return a.key < b.key; });
}

YamlNodePtr EncodeMessage(const Message& message);

YamlNodePtr EncodeFree(const google::protobuf::Value& value);

YamlNodePtr EncodeStruct(const google::protobuf::Struct& fields) {
  auto node = NewNode(YamlNode::Type::kMapping);
  for (const auto& [key, value] : fields.fields()) Add(node.get(), key, EncodeFree(value));
  SortEntries(node.get());
  return node;
}

YamlNodePtr EncodeFree(const google::protobuf::Value& value) {
  switch (value.kind_case()) {
    case google::protobuf::Value::kBoolValue:
      return Scalar(value.bool_value() ? "true" : "false", false);
    case google::protobuf::Value::kNumberValue: {
      const double number = value.number_value();
      const bool whole = number == std::trunc(number) && std::abs(number) < 0x1p53;
      return Scalar(whole ? fmt::format("{:.0f}", number) : fmt::format("{}", number), false);
    }
    case google::protobuf::Value::kStringValue:
      return Text(value.string_value());
    case google::protobuf::Value::kStructValue:
      return EncodeStruct(value.struct_value());
    case google::protobuf::Value::kListValue: {
      auto node = NewNode(YamlNode::Type::kSequence);
      for (const auto& item : value.list_value().values()) node->items.push_back(EncodeFree(item));
      return node;
    }
    default:
      return NewNode(YamlNode::Type::kNull);
  }
}

YamlNodePtr EncodeMap(const Message& message, const FieldDescriptor& field) {
  auto node = NewNode(YamlNode::Type::kMapping);
  const Reflection* reflection = message.GetReflection();
  for (int i = 0; i < reflection->FieldSize(message, &field); ++i) {
    const Message& pair = reflection->GetRepeatedMessage(message, &field, i);
    const auto text = [&](const FieldDescriptor* part) {
      return pair.GetReflection()->GetString(pair, part);
    };
    Add(node.get(), text(field.message_type()->map_key()),
        Text(text(field.message_type()->map_value())));
  }
  SortEntries(node.get());
  return node;
}

YamlNodePtr EncodeList(const Message& message, const FieldDescriptor& field) {
  auto node = NewNode(YamlNode::Type::kSequence);
  const Reflection* reflection = message.GetReflection();
  for (int i = 0; i < reflection->FieldSize(message, &field); ++i) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      node->items.push_back(EncodeMessage(reflection->GetRepeatedMessage(message, &field, i)));
      continue;
    }
    YamlNodePtr text = Text(reflection->GetRepeatedString(message, &field, i));
    if (IsNameList(field)) {
      auto named = NewNode(YamlNode::Type::kMapping);
      Add(named.get(), "name", std::move(text));
      text = std::move(named);
    }
    node->items.push_back(std::move(text));
  }
  return node;
}

YamlNodePtr EncodeSingle(const Message& message, const FieldDescriptor& field) {
  const Reflection* reflection = message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return EncodeMessage(reflection->GetMessage(message, &field));
    case FieldDescriptor::CPPTYPE_ENUM:
      return Text(std::string(Word(*field.enum_type(), reflection->GetEnumValue(message, &field))));
    case FieldDescriptor::CPPTYPE_BOOL:
      return Scalar(reflection->GetBool(message, &field) ? "true" : "false", false);
    case FieldDescriptor::CPPTYPE_INT32:
      return Scalar(fmt::format("{}", reflection->GetInt32(message, &field)), false);
    case FieldDescriptor::CPPTYPE_INT64:
      return Scalar(fmt::format("{}", reflection->GetInt64(message, &field)), false);
    default:
      return Text(reflection->GetString(message, &field));
  }
}

bool IsSet(const Message& message, const FieldDescriptor& field) {
  return field.is_repeated() ? message.GetReflection()->FieldSize(message, &field) > 0
                             : message.GetReflection()->HasField(message, &field);
}

YamlNodePtr EncodeFields(const Message& message) {
  auto node = NewNode(YamlNode::Type::kMapping);
  const Message* pod = nullptr;
  if (const auto* field = message.GetDescriptor()->FindFieldByName("pod"); field != nullptr) {
    pod = &message.GetReflection()->GetMessage(message, field);
  }
  for (const ManifestField& field : FieldsOf(*message.GetDescriptor())) {
    const Message& owner = field.in_pod ? *pod : message;
    const FieldDescriptor& descriptor = *field.field;
    if (IsSharedAffinity(descriptor)) {
      // One name for the agent's affinity and the pod's.
      auto shared = NewNode(YamlNode::Type::kMapping);
      for (const Message* part : {&message, pod}) {
        const FieldDescriptor* affinity = part->GetDescriptor()->FindFieldByName("affinity");
        if (!IsSet(*part, *affinity)) continue;
        const YamlNodePtr encoded = EncodeSingle(*part, *affinity);
        shared->entries.insert(shared->entries.end(), encoded->entries.begin(),
                               encoded->entries.end());
      }
      if (!shared->entries.empty()) Add(node.get(), field.name, std::move(shared));
    } else if (IsSet(owner, descriptor)) {
      Add(node.get(), field.name,
          descriptor.is_map()        ? EncodeMap(owner, descriptor)
          : descriptor.is_repeated() ? EncodeList(owner, descriptor)
                                     : EncodeSingle(owner, descriptor));
    }
  }
  return node;
}

YamlNodePtr EncodeMessage(const Message& message) {
  const auto* type = message.GetDescriptor();
  if (type == google::protobuf::Duration::descriptor()) {
    const auto& duration = static_cast<const google::protobuf::Duration&>(message);
    return Text(config::FormatDuration(std::chrono::seconds(duration.seconds()) +
                                       std::chrono::nanoseconds(duration.nanos())));
  }
  if (type == google::protobuf::Timestamp::descriptor()) {
    return Text(google::protobuf::util::TimeUtil::ToString(
        static_cast<const google::protobuf::Timestamp&>(message)));
  }
  if (type == google::protobuf::Struct::descriptor()) {
    return EncodeStruct(static_cast<const google::protobuf::Struct&>(message));
  }
  return EncodeFields(message);
}

template <typename Resource>
std::string Write(const Resource& resource, const char* kind) {
  auto root = NewNode(YamlNode::Type::kMapping);
  Add(root.get(), "apiVersion", Text("krypton.ai/v1alpha1"));
  Add(root.get(), "kind", Text(kind));
  Add(root.get(), "metadata", EncodeMessage(resource.metadata()));
  Add(root.get(), "spec", EncodeMessage(resource.spec()));
  if (resource.has_status()) Add(root.get(), "status", EncodeMessage(resource.status()));
  return WriteYaml(*root);
}

}  // namespace

std::string ToYaml(const v1::Agent& agent) { return Write(agent, "Agent"); }
std::string ToYaml(const v1::Model& model) { return Write(model, "Model"); }

}  // namespace krypton::resource
