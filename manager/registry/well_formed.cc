#include "manager/registry/well_formed.h"

#include <string>

#include "common/config/utf8.h"

namespace krypton::manager {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void MakeStringUtf8(Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  std::string scratch;
  if (!field->is_repeated()) {
    const std::string& text = reflection.GetStringReference(message, field, &scratch);
    if (config::FindInvalidUtf8(text) == std::string::npos) return;
    return reflection.SetString(&message, field, config::ToUtf8(text));
  }
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    const std::string& text = reflection.GetRepeatedStringReference(message, field, i, &scratch);
    if (config::FindInvalidUtf8(text) == std::string::npos) continue;
    reflection.SetRepeatedString(&message, field, i, config::ToUtf8(text));
  }
}

void MakeMessageUtf8(Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  if (!field->is_repeated()) return MakeUtf8(*reflection.MutableMessage(&message, field));
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    MakeUtf8(*reflection.MutableRepeatedMessage(&message, field, i));
  }
}

}  // namespace

void MakeUtf8(Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_map()) continue;
    if (field->type() == FieldDescriptor::TYPE_STRING) MakeStringUtf8(message, field);
    if (field->type() == FieldDescriptor::TYPE_MESSAGE) MakeMessageUtf8(message, field);
  }
}

}  // namespace krypton::manager
