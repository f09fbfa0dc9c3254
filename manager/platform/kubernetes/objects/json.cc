#include "manager/platform/kubernetes/objects/json.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "boost/json/serialize.hpp"

namespace krypton::kube {
namespace {

namespace json = boost::json;

// What tells the things of a list apart: Kubernetes' merge keys, in the order of preference.
constexpr std::array<std::string_view, 4> kNames = {"name", "mountPath", "uid", "containerPort"};

std::string_view NameKeyOf(const json::array& list) {
  for (const std::string_view key : kNames) {
    const bool all = !list.empty() && std::all_of(list.begin(), list.end(), [&](const auto& item) {
      return item.is_object() && item.get_object().contains(key);
    });
    if (all) return key;
  }
  return {};
}

const json::value* Named(const json::array& list, std::string_view key, const json::value& name) {
  for (const json::value& item : list) {
    if (!item.is_object()) continue;
    const json::value* found = item.get_object().if_contains(key);
    if (found != nullptr && *found == name) return &item;
  }
  return nullptr;
}

json::value ProjectList(const json::array& intent, const json::array& live) {
  json::array projected;
  const std::string_view key = NameKeyOf(intent);
  if (key.empty()) {
    for (size_t i = 0; i < live.size(); ++i) {
      projected.push_back(i < intent.size() ? Project(intent[i], live[i]) : live[i]);
    }
    return projected;
  }
  for (const json::value& wanted : intent) {
    const json::value* found = Named(live, key, wanted.get_object().at(key));
    if (found != nullptr) projected.push_back(Project(wanted, *found));
  }
  return projected;
}

}  // namespace

json::value ToJson(const google::protobuf::Value& value) {
  switch (value.kind_case()) {
    case google::protobuf::Value::kBoolValue:
      return value.bool_value();
    case google::protobuf::Value::kNumberValue: {
      const double number = value.number_value();
      if (number == std::trunc(number) && std::abs(number) < 0x1p53) {
        return static_cast<int64_t>(number);
      }
      return number;
    }
    case google::protobuf::Value::kStringValue:
      return json::value(value.string_value());
    case google::protobuf::Value::kStructValue:
      return ToJson(value.struct_value());
    case google::protobuf::Value::kListValue: {
      json::array list;
      for (const auto& item : value.list_value().values()) list.push_back(ToJson(item));
      return list;
    }
    default:
      return nullptr;
  }
}

json::object ToJson(const google::protobuf::Struct& fields) {
  std::map<std::string, const google::protobuf::Value*> sorted;
  for (const auto& [key, value] : fields.fields()) sorted[key] = &value;
  json::object object;
  for (const auto& [key, value] : sorted) object[key] = ToJson(*value);
  return object;
}

json::object ToJson(const google::protobuf::Map<std::string, std::string>& map) {
  const std::map<std::string, std::string> sorted(map.begin(), map.end());
  json::object object;
  for (const auto& [key, value] : sorted) object[key] = value;
  return object;
}

std::string Fingerprint(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (size_t i = 0; i < 8; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

std::string Fingerprint(const json::value& value) { return Fingerprint(json::serialize(value)); }

const json::value* Find(const json::object& object, std::initializer_list<std::string_view> path) {
  const json::object* at = &object;
  const json::value* found = nullptr;
  for (const std::string_view key : path) {
    if (at == nullptr) return nullptr;
    found = at->if_contains(key);
    if (found == nullptr) return nullptr;
    at = found->if_object();
  }
  return found;
}

const json::object* FindObject(const json::object& object,
                               std::initializer_list<std::string_view> path) {
  const json::value* found = Find(object, path);
  return found == nullptr ? nullptr : found->if_object();
}

const json::array* FindArray(const json::object& object,
                             std::initializer_list<std::string_view> path) {
  const json::value* found = Find(object, path);
  return found == nullptr ? nullptr : found->if_array();
}

std::string FindString(const json::object& object, std::initializer_list<std::string_view> path) {
  const json::value* found = Find(object, path);
  const json::string* text = found == nullptr ? nullptr : found->if_string();
  return text == nullptr ? "" : std::string(*text);
}

int64_t FindInt(const json::object& object, std::initializer_list<std::string_view> path,
                int64_t otherwise) {
  const json::value* found = Find(object, path);
  if (found == nullptr || !found->is_number()) return otherwise;
  return found->is_int64() ? found->get_int64() : found->to_number<int64_t>();
}

bool FindBool(const json::object& object, std::initializer_list<std::string_view> path) {
  const json::value* found = Find(object, path);
  return found != nullptr && found->is_bool() && found->get_bool();
}

json::value Project(const json::value& intent, const json::value& live) {
  if (intent.is_object() && live.is_object()) {
    json::object projected;
    for (const auto& [key, wanted] : intent.get_object()) {
      if (const json::value* found = live.get_object().if_contains(key)) {
        projected[key] = Project(wanted, *found);
      }
    }
    return projected;
  }
  if (intent.is_array() && live.is_array())
    return ProjectList(intent.get_array(), live.get_array());
  return live;
}

}  // namespace krypton::kube
