// What a stranger may send as JSON: no answer but a value or an error, and bounded cost.

#include <gtest/gtest.h>

#include <random>

#include "common/transcode/json_printer.h"
#include "common/transcode/json_reader.h"
#include "common/transcode/json_value.h"
#include "krypton/v1/agent.pb.h"

namespace krypton::transcode {
namespace {

absl::Status Read(absl::string_view text, v1::Agent& agent) {
  text = StripJsonSpace(text);
  if (text.empty()) return absl::InvalidArgumentError("empty");
  absl::StatusOr<JsonValue> json = TakeJson(text, {});
  return json.ok() ? ReadJsonMessage(*json, agent) : json.status();
}

constexpr char kGood[] =
    R"({"metadata":{"name":"a","labels":{"k":"v"},"generation":"5"},
        "spec":{"protocol":"AGENT_PROTOCOL_MCP","minReplicas":0,"timeout":"1.5s",
                "env":[{"name":"A","valueFrom":{"x":[1,null,true,"\u00e4"]}}]}})";

TEST(HostileJsonTest, WhatIsPrintedReadsBack) {
  v1::Agent agent;
  ASSERT_TRUE(Read(kGood, agent).ok());
  const absl::StatusOr<std::string> printed = PrintJson(agent);
  ASSERT_TRUE(printed.ok()) << printed.status();
  v1::Agent again;
  ASSERT_TRUE(Read(*printed, again).ok()) << *printed;
  EXPECT_EQ(again.SerializeAsString(), agent.SerializeAsString()) << *printed;
}

TEST(HostileJsonTest, EveryPrefixIsRefused) {
  const std::string good(kGood);
  for (size_t size = 0; size < good.size(); ++size) {
    v1::Agent agent;
    EXPECT_FALSE(Read(good.substr(0, size), agent).ok()) << good.substr(0, size);
  }
}

TEST(HostileJsonTest, FlippedBytesNeverCrash) {
  std::minstd_rand random(1);
  for (int i = 0; i < 3000; ++i) {
    std::string text(kGood);
    for (int flips = 0; flips < 3; ++flips)
      text[random() % text.size()] = static_cast<char>(random());
    v1::Agent agent;
    if (!Read(text, agent).ok()) continue;
    EXPECT_TRUE(PrintJson(agent).ok()) << text;
  }
}

TEST(HostileJsonTest, DepthIsBounded) {
  const std::string deep(100000, '[');
  v1::Agent agent;
  EXPECT_EQ(Read(deep, agent).code(), absl::StatusCode::kInvalidArgument);
}

TEST(HostileJsonTest, TheNumberOfValuesIsBounded) {
  std::string many = "[0";
  for (int i = 0; i < 300000; ++i) many += ",0";
  v1::Agent agent;
  const absl::Status status = Read(many + "]", agent);
  EXPECT_NE(status.message().find("too many values"), absl::string_view::npos) << status;
}

TEST(HostileJsonTest, HugeExponentsCostNothing) {
  for (const char* number : {"1e999999999", "-1e-999999999", "0e999999999999999999", "1E+400"}) {
    v1::Agent agent;
    Read(std::string(R"({"spec":{"minReplicas":)") + number + "}}", agent).IgnoreError();
  }
}

}  // namespace
}  // namespace krypton::transcode
