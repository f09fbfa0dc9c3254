#pragma once

#include <boost/json/fwd.hpp>
#include <map>
#include <string>
#include <string_view>

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
}  // namespace google::protobuf

namespace krypton::transcode {

// Adds the proto's comment on `full_name`, where there is one, as the description.
void Describe(std::string_view full_name, boost::json::object& object);

// JSON Schema (as OpenAPI 3.0.3 has it) of messages as json_printer.h prints them. Part of
// openapi.h.
class SchemaBook {
 public:
  SchemaBook();
  ~SchemaBook();

  // A `$ref` to the message's schema, which goes into the book with all that it needs; for a type
  // with a JSON form of its own, that form.
  boost::json::object OfMessage(const google::protobuf::Descriptor& type);
  // Of a field's value: list, map, message or scalar.
  boost::json::object OfField(const google::protobuf::FieldDescriptor& field);

  // `components.schemas`.
  boost::json::object Take();

 private:
  boost::json::object OfFieldType(const google::protobuf::FieldDescriptor& field);
  boost::json::object OfValue(const google::protobuf::FieldDescriptor& field);

  std::map<std::string, boost::json::object> schemas_;
};

}  // namespace krypton::transcode
