#include "common/transcode/openapi.h"

#include <google/protobuf/descriptor.h>
#include <google/rpc/status.pb.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/transcode/openapi_schema.h"

namespace krypton::transcode {
namespace {

using boost::json::array;
using boost::json::object;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

object Content(object schema) {
  return {{"application/json", object{{"schema", std::move(schema)}}}};
}

// Where readers look for it: at the parameter, not in its schema.
void LiftDescription(object& parameter) {
  object& schema = parameter["schema"].as_object();
  const auto found = schema.find("description");
  if (found == schema.end()) return;
  parameter["description"] = found->value();
  schema.erase("description");
}

// What a query can set with one text: scalars, lists of them, and some well-known types.
bool FitsQuery(const FieldDescriptor& field) {
  if (field.is_map()) return false;
  if (field.message_type() == nullptr) return true;
  switch (field.message_type()->well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_UNSPECIFIED:
    case Descriptor::WELLKNOWNTYPE_ANY:
    case Descriptor::WELLKNOWNTYPE_LISTVALUE:
      return false;
    default:
      return true;
  }
}

// The query parameters of all fields below `type`; a message that contains itself is left out.
class QueryParameters {
 public:
  QueryParameters(const Route& route, SchemaBook& book) : route_(route), book_(book) {}

  void Add(const Descriptor& type, const std::string& prefix, FieldPath& path) {
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      path.push_back(&field);
      AddField(field, absl::StrCat(prefix, field.json_name()), path);
      path.pop_back();
    }
  }

  array Take() { return std::move(parameters_); }

 private:
  void AddField(const FieldDescriptor& field, const std::string& name, FieldPath& path) {
    if (&field == route_.body_field || IsVariable(path)) return;
    if (FitsQuery(field)) {
      object parameter{{"name", name}, {"in", "query"}, {"schema", book_.OfField(field)}};
      LiftDescription(parameter);
      parameters_.push_back(std::move(parameter));
      return;
    }
    const Descriptor* type = field.message_type();
    const bool recursive = std::any_of(path.begin(), path.end() - 1, [&](const auto* above) {
      return above->message_type() == type;
    });
    if (!field.is_repeated() && !recursive &&
        type->well_known_type() == Descriptor::WELLKNOWNTYPE_UNSPECIFIED) {
      Add(*type, absl::StrCat(name, "."), path);
    }
  }

  bool IsVariable(const FieldPath& path) const {
    return std::find(route_.variables.begin(), route_.variables.end(), path) !=
           route_.variables.end();
  }

  const Route& route_;
  SchemaBook& book_;
  array parameters_;
};

array Parameters(const Route& route, SchemaBook& book) {
  array parameters;
  for (size_t i = 0; i < route.variables.size(); ++i) {
    object schema = book.OfField(*route.variables[i].back());
    schema.erase("nullable");
    object parameter{{"name", route.path.variables()[i].field_path},
                     {"in", "path"},
                     {"required", true},
                     {"schema", std::move(schema)}};
    LiftDescription(parameter);
    parameters.push_back(std::move(parameter));
  }
  if (route.takes_query) {
    QueryParameters query(route, book);
    FieldPath path;
    query.Add(*route.method->input_type(), "", path);
    for (auto& parameter : query.Take()) parameters.push_back(std::move(parameter));
  }
  return parameters;
}

object ResponseSchema(const Route& route, SchemaBook& book) {
  object result = route.response_field != nullptr ? book.OfField(*route.response_field)
                                                  : book.OfMessage(*route.method->output_type());
  if (!route.method->server_streaming()) return result;
  // One such object a line.
  return {{"type", "object"},
          {"properties", object{{"result", std::move(result)},
                                {"error", book.OfMessage(*google::rpc::Status::descriptor())}}}};
}

object Response200(const Route& route, SchemaBook& book) {
  if (route.method->output_type()->full_name() == "google.api.HttpBody") {
    return {
        {"description", "Any content."},
        {"content",
         object{{"*/*", object{{"schema", object{{"type", "string"}, {"format", "binary"}}}}}}}};
  }
  const char* description =
      route.method->server_streaming() ? "A stream: one JSON object a line." : "The answer.";
  return {{"description", description}, {"content", Content(ResponseSchema(route, book))}};
}

object Operation(const Route& route, const std::string& id, SchemaBook& book) {
  object operation{
      {"operationId", id},
      {"tags", array{boost::json::string(route.method->service()->name())}},
      {"parameters", Parameters(route, book)},
      {"responses",
       object{{"200", Response200(route, book)},
              {"default",
               object{{"description", "An error."},
                      {"content", Content(book.OfMessage(*google::rpc::Status::descriptor()))}}}}}};
  Describe(route.method->full_name(), operation);
  if (route.body != Route::Body::kNone) {
    object schema = route.body_field != nullptr ? book.OfField(*route.body_field)
                                                : book.OfMessage(*route.method->input_type());
    operation["requestBody"] = object{{"content", Content(std::move(schema))}};
  }
  return operation;
}

}  // namespace

std::string BuildOpenApi(const RouteTable& table, const std::string& title,
                         const std::string& version) {
  static const std::set<std::string> kMethods = {"get",     "put",  "post",  "delete",
                                                 "options", "head", "patch", "trace"};
  SchemaBook book;
  std::map<std::string, object> paths;
  std::map<std::string, int> ids;
  // The table is in the order of the search; the document is in that of the protos.
  for (auto route = table.routes().rbegin(); route != table.routes().rend(); ++route) {
    const std::string method = absl::AsciiStrToLower(route->http_method);
    if (kMethods.count(method) == 0) continue;
    std::string id = absl::StrCat(route->method->service()->name(), "_", route->method->name());
    if (const int count = ids[id]++; count > 0) absl::StrAppend(&id, "_", count + 1);
    paths[route->path.OpenApiPath()][method] = Operation(*route, id, book);
  }
  object all_paths;
  for (auto& [path, operations] : paths) all_paths[path] = std::move(operations);
  const object document{{"openapi", "3.0.3"},
                        {"info", object{{"title", title}, {"version", version}}},
                        {"paths", std::move(all_paths)},
                        {"components", object{{"schemas", book.Take()}}}};
  return boost::json::serialize(document);
}

}  // namespace krypton::transcode
