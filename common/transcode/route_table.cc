#include "common/transcode/route_table.h"

#include <google/api/annotations.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace krypton::transcode {
namespace {

using google::api::HttpRule;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

absl::Status Wrong(const MethodDescriptor& method, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("google.api.http of ", method.full_name(), ": ", why));
}

struct MethodAndPath {
  std::string method;
  std::string path;
};

MethodAndPath PatternOf(const HttpRule& rule) {
  switch (rule.pattern_case()) {
    case HttpRule::kGet:
      return {"GET", rule.get()};
    case HttpRule::kPut:
      return {"PUT", rule.put()};
    case HttpRule::kPost:
      return {"POST", rule.post()};
    case HttpRule::kDelete:
      return {"DELETE", rule.delete_()};
    case HttpRule::kPatch:
      return {"PATCH", rule.patch()};
    case HttpRule::kCustom:
      return {rule.custom().kind(), rule.custom().path()};
    case HttpRule::PATTERN_NOT_SET:
      break;
  }
  return {};
}

absl::StatusOr<FieldPath> ResolveVariable(const MethodDescriptor& method,
                                          absl::string_view dotted) {
  FieldPath path;
  const Descriptor* type = method.input_type();
  for (const absl::string_view name : absl::StrSplit(dotted, '.')) {
    const FieldDescriptor* field =
        type == nullptr ? nullptr : type->FindFieldByName(std::string(name));
    if (field == nullptr || field->is_map() || (!path.empty() && path.back()->is_repeated())) {
      return Wrong(method, absl::StrCat("no field ", dotted));
    }
    path.push_back(field);
    type = field->message_type();
  }
  if (type != nullptr && type->well_known_type() == Descriptor::WELLKNOWNTYPE_UNSPECIFIED) {
    return Wrong(method, absl::StrCat(dotted, " is a message"));
  }
  return path;
}

// The request's only FieldMask.
const FieldDescriptor* FindUpdateMask(const Descriptor& request) {
  const FieldDescriptor* found = nullptr;
  for (int i = 0; i < request.field_count(); ++i) {
    const FieldDescriptor* field = request.field(i);
    if (field->message_type() == nullptr || field->is_repeated() ||
        field->message_type()->well_known_type() != Descriptor::WELLKNOWNTYPE_FIELDMASK) {
      continue;
    }
    if (found != nullptr) return nullptr;
    found = field;
  }
  return found;
}

bool TakesQuery(const Route& route) {
  if (route.body == Route::Body::kAll) return false;
  const Descriptor& request = *route.method->input_type();
  for (int i = 0; i < request.field_count(); ++i) {
    const FieldDescriptor* field = request.field(i);
    const bool in_path =
        std::any_of(route.variables.begin(), route.variables.end(),
                    [&](const FieldPath& path) { return path.size() == 1 && path[0] == field; });
    if (field != route.body_field && !in_path) return true;
  }
  return false;
}

absl::Status SetBody(const HttpRule& rule, Route& route) {
  const MethodDescriptor& method = *route.method;
  if (rule.body() == "*") {
    route.body = Route::Body::kAll;
  } else if (!rule.body().empty()) {
    route.body = Route::Body::kField;
    route.body_field = method.input_type()->FindFieldByName(rule.body());
    if (route.body_field == nullptr) return Wrong(method, "its body is no field of the request");
  }
  if (!rule.response_body().empty() && rule.response_body() != "*") {
    route.response_field = method.output_type()->FindFieldByName(rule.response_body());
    if (route.response_field == nullptr) {
      return Wrong(method, "its response_body is no field of the response");
    }
  }
  if (route.http_method == "PATCH" && route.body == Route::Body::kField) {
    route.update_mask = FindUpdateMask(*method.input_type());
  }
  return absl::OkStatus();
}

absl::StatusOr<Route> BuildRoute(const MethodDescriptor& method, const HttpRule& rule) {
  MethodAndPath pattern = PatternOf(rule);
  absl::StatusOr<PathTemplate> path = PathTemplate::Parse(pattern.path);
  if (!path.ok()) return Wrong(method, path.status().message());
  Route route{
      .method = &method,
      .request_type = MessageFactory::generated_factory()->GetPrototype(method.input_type()),
      .response_type = MessageFactory::generated_factory()->GetPrototype(method.output_type()),
      .rpc_path = absl::StrCat("/", method.service()->full_name(), "/", method.name()),
      .name = SnakeCaseName(method.name()),
      .http_method = pattern.method,
      .path = *std::move(path)};
  for (const PathTemplate::Variable& variable : route.path.variables()) {
    absl::StatusOr<FieldPath> fields = ResolveVariable(method, variable.field_path);
    if (!fields.ok()) return fields.status();
    route.variables.push_back(*std::move(fields));
  }
  absl::Status status = SetBody(rule, route);
  if (!status.ok()) return status;
  route.takes_query = TakesQuery(route);
  return route;
}

absl::Status AddRoutes(const ServiceDescriptor& service, std::vector<Route>& routes) {
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    if (!method.options().HasExtension(google::api::http)) continue;
    const HttpRule& rule = method.options().GetExtension(google::api::http);
    std::vector<const HttpRule*> rules = {&rule};
    for (const HttpRule& more : rule.additional_bindings()) rules.push_back(&more);
    for (const HttpRule* one : rules) {
      absl::StatusOr<Route> route = BuildRoute(method, *one);
      if (!route.ok()) return route.status();
      routes.push_back(*std::move(route));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RouteTable> RouteTable::Build(const std::vector<std::string>& services,
                                             bool read_only) {
  RouteTable table;
  for (const std::string& name : services) {
    const ServiceDescriptor* service = DescriptorPool::generated_pool()->FindServiceByName(name);
    if (service == nullptr) {
      return absl::NotFoundError(absl::StrCat("service ", name, " is not linked in"));
    }
    absl::Status status = AddRoutes(*service, table.routes_);
    if (!status.ok()) return status;
  }
  if (read_only) {
    std::erase_if(table.routes_, [](const Route& route) { return route.http_method != "GET"; });
  }
  std::reverse(table.routes_.begin(), table.routes_.end());
  return table;
}

std::variant<RouteTable::Found, RouteTable::NotFound, RouteTable::OtherMethod> RouteTable::Find(
    absl::string_view http_method, const std::vector<absl::string_view>& path) const {
  bool other_method = false;
  for (const Route& route : routes_) {
    if (route.http_method != http_method && other_method) continue;
    std::optional<std::vector<std::string>> values = route.path.Match(path);
    if (!values) continue;
    if (route.http_method == http_method) return Found{&route, *std::move(values)};
    other_method = true;
  }
  if (other_method) return OtherMethod{};
  return NotFound{};
}

std::string SnakeCaseName(absl::string_view name) {
  std::string snake;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool starts_word = absl::ascii_isupper(name[i]) && i > 0 &&
                             (!absl::ascii_isupper(name[i - 1]) ||
                              (i + 1 < name.size() && absl::ascii_islower(name[i + 1])));
    if (starts_word) snake += '_';
    snake += absl::ascii_tolower(name[i]);
  }
  return snake;
}

}  // namespace krypton::transcode
