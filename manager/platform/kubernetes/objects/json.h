// JSON as objects are made of it and read from it. What is built from maps comes in the order of
// the keys, so that the same thing is the same text each time. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "boost/json/array.hpp"
#include "boost/json/object.hpp"
#include "boost/json/value.hpp"
#include "google/protobuf/struct.pb.h"

namespace krypton::kube {

// Whole numbers become integers.
boost::json::value ToJson(const google::protobuf::Value& value);
boost::json::object ToJson(const google::protobuf::Struct& fields);
boost::json::object ToJson(const google::protobuf::Map<std::string, std::string>& map);

// 16 hexadecimal digits of SHA-256: short, stable over versions and machines.
std::string Fingerprint(std::string_view text);
std::string Fingerprint(const boost::json::value& value);

// Along a path of keys; null or empty when something is missing or of another type.
const boost::json::value* Find(const boost::json::object& object,
                               std::initializer_list<std::string_view> path);
const boost::json::object* FindObject(const boost::json::object& object,
                                      std::initializer_list<std::string_view> path);
const boost::json::array* FindArray(const boost::json::object& object,
                                    std::initializer_list<std::string_view> path);
std::string FindString(const boost::json::object& object,
                       std::initializer_list<std::string_view> path);
int64_t FindInt(const boost::json::object& object, std::initializer_list<std::string_view> path,
                int64_t otherwise = 0);
bool FindBool(const boost::json::object& object, std::initializer_list<std::string_view> path);

// `live` reduced to what `intent` speaks of: the same keys, and of lists of named things the same
// things. Equal to `intent` when nothing of it was changed; what others added does not count.
boost::json::value Project(const boost::json::value& intent, const boost::json::value& live);

}  // namespace krypton::kube
