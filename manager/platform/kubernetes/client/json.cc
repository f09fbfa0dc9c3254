#include "manager/platform/kubernetes/client/json.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "absl/status/status.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;

// CRDs' schemas and managed fields go deep; Boost's own limit is 32.
constexpr size_t kMaxDepth = 256;

}  // namespace

absl::StatusOr<json::value> ParseJson(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return absl::InvalidArgumentError("no JSON: " + error.message());
  return value;
}

const json::object* ObjectAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}

const json::array* ArrayAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_array();
}

std::string_view StringAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

int64_t IntAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr || !value->is_int64() ? 0 : value->get_int64();
}

bool BoolAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::string_view MetadataAt(const json::object& object, std::string_view key) {
  const json::object* metadata = ObjectAt(object, "metadata");
  return metadata == nullptr ? std::string_view() : StringAt(*metadata, key);
}

}  // namespace krypton::kube
