#include "cli/yaml.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

namespace krypton::cli {
namespace {

TEST(YamlTest, KeysStayInOrderAndEmptyThingsStayShort) {
  EXPECT_EQ(*JsonToYaml(R"({"b":1,"a":[{"x":"z"},{"x":null}],"c":{},"d":[],"e":true})"),
            "b: 1\n"
            "a:\n"
            "  - x: z\n"
            "  - x: ~\n"
            "c: {}\n"
            "d: []\n"
            "e: true\n");
}

TEST(YamlTest, AStringStaysAString) {
  for (const char* text : {"true", "no", "null", "~", "12", "1.5", "0x10", "1e3", "", "on", "a: b",
                           "# x", "- y", "line\nline", "\u00e9"}) {
    std::string json = "{\"v\":\"";
    for (const char* c = text; *c != '\0'; ++c) {
      json += *c == '\n' ? std::string("\\n") : std::string(1, *c);
    }
    const YAML::Node node = YAML::Load(*JsonToYaml(json + "\"}"))["v"];
    EXPECT_EQ(node.as<std::string>(), text);
    const bool quoted = node.Tag() == "!";
    bool number = false;
    try {
      node.as<double>();
      number = true;
    } catch (const YAML::Exception&) {
    }
    EXPECT_TRUE(!number || quoted) << text;
  }
}

TEST(YamlTest, PrettyJsonIsIndentedByTwo) {
  EXPECT_EQ(*PrettyJson(R"({"a":[1,{"b":"c"}],"d":[],"e":{}})"),
            "{\n"
            "  \"a\": [\n"
            "    1,\n"
            "    {\n"
            "      \"b\": \"c\"\n"
            "    }\n"
            "  ],\n"
            "  \"d\": [],\n"
            "  \"e\": {}\n"
            "}\n");
}

TEST(YamlTest, WhatIsNoJsonIsAnError) { EXPECT_FALSE(JsonToYaml("{").ok()); }

}  // namespace
}  // namespace krypton::cli
