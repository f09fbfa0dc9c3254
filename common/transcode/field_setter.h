#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace google::protobuf {
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

// Reflection's many setters behind one name: sets a singular field, appends to a repeated one.
namespace krypton::transcode {

void SetField(bool value, const google::protobuf::FieldDescriptor& field,
              google::protobuf::Message& message);
void SetField(int32_t value, const google::protobuf::FieldDescriptor& field,
              google::protobuf::Message& message);
void SetField(int64_t value, const google::protobuf::FieldDescriptor& field,
              google::protobuf::Message& message);
void SetField(uint32_t value, const google::protobuf::FieldDescriptor& field,
              google::protobuf::Message& message);
void SetField(uint64_t value, const google::protobuf::FieldDescriptor& field,
              google::protobuf::Message& message);
void SetField(float value, const google::protobuf::FieldDescriptor& field,
              google::protobuf::Message& message);
void SetField(double value, const google::protobuf::FieldDescriptor& field,
              google::protobuf::Message& message);
void SetField(const std::string& value, const google::protobuf::FieldDescriptor& field,
              google::protobuf::Message& message);
void SetEnumField(int number, const google::protobuf::FieldDescriptor& field,
                  google::protobuf::Message& message);

// From a text as a path or a query has it (scalars.h); an enum by its exact name or a known number.
// Returns the value's normal text; nullopt for what is no such value. Not for messages.
std::optional<std::string> SetScalarText(const std::string& text,
                                         const google::protobuf::FieldDescriptor& field,
                                         google::protobuf::Message& message);

}  // namespace krypton::transcode
