#include "common/transcode/openapi_schema.h"

#include <google/protobuf/descriptor.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "absl/strings/str_cat.h"
#include "proto/comments.h"

namespace krypton::transcode {
namespace {

using boost::json::array;
using boost::json::object;
using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

object Typed(const char* type, const char* format = nullptr) {
  object schema{{"type", type}};
  if (format != nullptr) schema["format"] = format;
  return schema;
}

object OfEnum(const EnumDescriptor& type) {
  if (type.full_name() == "google.protobuf.NullValue") return {{"nullable", true}};
  array names;
  for (int i = 0; i < type.value_count(); ++i) names.emplace_back(type.value(i)->name());
  return {{"type", "string"}, {"enum", names}};
}

// 64-bit integers are strings in JSON.
object OfScalar(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return Typed("boolean");
    case FieldDescriptor::CPPTYPE_INT32:
      return Typed("integer", "int32");
    case FieldDescriptor::CPPTYPE_UINT32:
      return Typed("integer", "int64");
    case FieldDescriptor::CPPTYPE_INT64:
      return Typed("string", "int64");
    case FieldDescriptor::CPPTYPE_UINT64:
      return Typed("string", "uint64");
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Typed("number", "float");
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Typed("number", "double");
    case FieldDescriptor::CPPTYPE_ENUM:
      return OfEnum(*field.enum_type());
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? Typed("string", "byte")
                                                         : Typed("string");
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return {};
}

// The JSON of the types that json_well_known.h knows.
object OfWellKnown(const Descriptor& type) {
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_ANY:
      return {{"type", "object"},
              {"properties", object{{"@type", object{{"type", "string"}}}}},
              {"additionalProperties", true}};
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return Typed("string", "date-time");
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return {{"type", "string"}, {"pattern", "^-?[0-9]+(\\.[0-9]{1,9})?s$"}};
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return Typed("string");
    case Descriptor::WELLKNOWNTYPE_STRUCT:
      return {{"type", "object"}, {"additionalProperties", true}};
    case Descriptor::WELLKNOWNTYPE_LISTVALUE:
      return {{"type", "array"}, {"items", object()}};
    case Descriptor::WELLKNOWNTYPE_VALUE:
      return {{"nullable", true}};
    case Descriptor::WELLKNOWNTYPE_UNSPECIFIED:
      return Typed("object");
    default:
      break;  // A wrapper: its value, or null.
  }
  return OfScalar(*type.field(0));
}

bool IsWellKnownType(const Descriptor& type) {
  return type.well_known_type() != Descriptor::WELLKNOWNTYPE_UNSPECIFIED ||
         type.full_name() == "google.protobuf.Empty";
}

}  // namespace

void Describe(std::string_view full_name, object& object) {
  const std::string_view comment = ProtoComment(full_name);
  if (!comment.empty()) object["description"] = boost::json::string_view(comment);
}

SchemaBook::SchemaBook() = default;
SchemaBook::~SchemaBook() = default;

object SchemaBook::OfMessage(const Descriptor& type) {
  if (IsWellKnownType(type)) return OfWellKnown(type);
  const auto [entry, is_new] = schemas_.try_emplace(type.full_name());
  if (is_new) {
    object properties;
    for (int i = 0; i < type.field_count(); ++i) {
      properties[type.field(i)->json_name()] = OfField(*type.field(i));
    }
    entry->second = {{"type", "object"}, {"properties", std::move(properties)}};
    Describe(type.full_name(), entry->second);
  }
  return {{"$ref", absl::StrCat("#/components/schemas/", type.full_name())}};
}

object SchemaBook::OfValue(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE ? OfMessage(*field.message_type())
                                                              : OfScalar(field);
}

object SchemaBook::OfField(const FieldDescriptor& field) {
  object schema = OfFieldType(field);
  // OpenAPI 3.0 ignores what stands beside a $ref.
  if (!schema.contains("$ref")) Describe(field.full_name(), schema);
  return schema;
}

object SchemaBook::OfFieldType(const FieldDescriptor& field) {
  if (field.is_map()) {
    return {{"type", "object"},
            {"additionalProperties", OfValue(*field.message_type()->map_value())}};
  }
  if (field.is_repeated()) return {{"type", "array"}, {"items", OfValue(field)}};
  object schema = OfValue(field);
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return schema;
  // Printed as null when it is not set.
  if (schema.contains("$ref")) return {{"nullable", true}, {"allOf", array{std::move(schema)}}};
  schema["nullable"] = true;
  return schema;
}

object SchemaBook::Take() {
  object all;
  for (auto& [name, schema] : schemas_) all[name] = std::move(schema);
  schemas_.clear();
  return all;
}

}  // namespace krypton::transcode
