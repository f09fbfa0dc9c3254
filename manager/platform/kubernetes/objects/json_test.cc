#include "manager/platform/kubernetes/objects/json.h"

#include <gtest/gtest.h>

#include "boost/json/parse.hpp"
#include "boost/json/serialize.hpp"

namespace krypton::kube {
namespace {

namespace json = boost::json;

json::value Parse(const char* text) { return json::parse(text); }

TEST(JsonTest, StructsComeInTheOrderOfTheirKeysAndWholeNumbersAreIntegers) {
  google::protobuf::Struct fields;
  (*fields.mutable_fields())["zebra"].set_number_value(3);
  (*fields.mutable_fields())["apple"].set_number_value(1.5);
  (*fields.mutable_fields())["mango"].mutable_list_value()->add_values()->set_bool_value(true);
  EXPECT_EQ(json::serialize(ToJson(fields)), R"({"apple":1.5E0,"mango":[true],"zebra":3})");
}

TEST(JsonTest, WhatOthersAddDoesNotCount) {
  const json::value intent =
      Parse(R"({"labels":{"a":"1"},"containers":[{"name":"agent","image":"i"}],"args":["x","y"]})");
  const json::value live = Parse(
      R"({"labels":{"mine":"2","a":"1"},"uid":"u","args":["x","y"],
          "containers":[{"name":"injected"},{"image":"i","name":"agent","tty":false}]})");
  EXPECT_EQ(Project(intent, live), intent);
}

TEST(JsonTest, WhatWasChangedOrTakenAwayCounts) {
  const json::value intent =
      Parse(R"({"replicas":2,"containers":[{"name":"agent","image":"i"}],"args":["x","y"]})");
  for (const char* live : {
           R"({"replicas":3,"containers":[{"name":"agent","image":"i"}],"args":["x","y"]})",
           R"({"containers":[{"name":"agent","image":"i"}],"args":["x","y"]})",
           R"({"replicas":2,"containers":[{"name":"agent","image":"other"}],"args":["x","y"]})",
           R"({"replicas":2,"containers":[],"args":["x","y"]})",
           R"({"replicas":2,"containers":[{"name":"agent","image":"i"}],"args":["x"]})",
           R"({"replicas":2,"containers":[{"name":"agent","image":"i"}],"args":["x","y","z"]})",
           R"({"replicas":2,"containers":"none","args":["x","y"]})",
       }) {
    EXPECT_NE(Project(intent, Parse(live)), intent) << live;
  }
}

TEST(JsonTest, FindsAlongAPathAndNeverThrows) {
  const json::object object = Parse(R"({"a":{"b":{"n":7,"t":"x","f":true,"l":[1]}}})").as_object();
  EXPECT_EQ(FindInt(object, {"a", "b", "n"}), 7);
  EXPECT_EQ(FindInt(object, {"a", "b", "t"}, -1), -1);
  EXPECT_EQ(FindString(object, {"a", "b", "t"}), "x");
  EXPECT_EQ(FindString(object, {"a", "b", "n"}), "");
  EXPECT_TRUE(FindBool(object, {"a", "b", "f"}));
  EXPECT_EQ(FindArray(object, {"a", "b", "l"})->size(), 1u);
  EXPECT_EQ(Find(object, {"a", "b", "n", "deeper"}), nullptr);
  EXPECT_EQ(FindObject(object, {"a", "missing"}), nullptr);
}

TEST(JsonTest, FingerprintsAreStable) {
  EXPECT_EQ(Fingerprint(std::string_view("krypton")), Fingerprint(std::string_view("krypton")));
  EXPECT_EQ(Fingerprint(std::string_view("")), "e3b0c44298fc1c14");  // SHA-256 of nothing.
}

}  // namespace
}  // namespace krypton::kube
