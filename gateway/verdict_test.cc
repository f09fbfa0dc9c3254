#include "gateway/verdict.h"

#include <gtest/gtest.h>

namespace krypton::gateway {
namespace {

using http::ForwardEnd;
using http::ForwardResult;

http::RequestHead Request(std::string_view method) {
  http::RequestHead head;
  head.method = method;
  return head;
}

TEST(JudgeTest, WhatIsSentAgain) {
  struct Row {
    std::string_view method;
    ForwardResult result;
    bool broke_before;
    std::optional<Setback> again;
  };
  const Row rows[] = {
      {"POST", {.end = ForwardEnd::kRefused, .sent = true}, false, Setback::kOverCapacity},
      {"POST", {.end = ForwardEnd::kRefused, .sent = true}, true, Setback::kOverCapacity},
      {"POST", {.end = ForwardEnd::kRefused, .sent = true, .replayable = false}, false, {}},
      {"POST", {.end = ForwardEnd::kConnectFailed}, false, Setback::kUnreachable},
      {"POST", {.end = ForwardEnd::kBroke, .sent = true}, false, {}},
      {"POST", {.end = ForwardEnd::kBroke, .sent = false}, false, Setback::kBroke},
      {"GET", {.end = ForwardEnd::kBroke, .sent = true}, false, Setback::kBroke},
      {"GET", {.end = ForwardEnd::kBroke, .sent = true}, true, {}},
      {"PUT", {.end = ForwardEnd::kBroke, .sent = true, .replayable = false}, false, {}},
      {"GET", {.end = ForwardEnd::kTimedOut, .sent = true}, false, {}},
  };
  for (const Row& row : rows) {
    const Verdict verdict = Judge(row.result, {}, row.broke_before, Request(row.method));
    EXPECT_EQ(verdict.again, row.again)
        << row.method << " end " << static_cast<int>(row.result.end) << " sent " << row.result.sent;
    EXPECT_EQ(verdict.error.has_value(), !row.again.has_value());
  }
}

TEST(JudgeTest, EachEndHasItsRowOfTheErrorTable) {
  const auto code = [](ForwardEnd end) {
    return Judge({.end = end, .sent = true, .replayable = false}, {}, false, Request("POST"))
        .error->code;
  };
  EXPECT_EQ(code(ForwardEnd::kRefused), http::ErrorCode::kOverCapacity);
  EXPECT_EQ(code(ForwardEnd::kConnectFailed), http::ErrorCode::kAgentUnreachable);
  EXPECT_EQ(code(ForwardEnd::kBroke), http::ErrorCode::kAgentUnreachable);
  EXPECT_EQ(code(ForwardEnd::kTimedOut), http::ErrorCode::kAgentTimeout);
  EXPECT_EQ(code(ForwardEnd::kShutDown), http::ErrorCode::kShuttingDown);
}

TEST(JudgeTest, NothingFollowsAnAnswer) {
  for (const ForwardEnd end :
       {ForwardEnd::kAnswered, ForwardEnd::kAborted, ForwardEnd::kClientGone}) {
    EXPECT_TRUE(Judge({.end = end}, {}, false, Request("GET")).done());
  }
}

TEST(RefusalTest, OnlyTheSidecarsOwn) {
  const auto refusal = [](int status, std::string_view code) {
    http::ResponseHead head;
    head.status = status;
    if (!code.empty()) head.fields.Add("Krypton-Error", code);
    return RefusalOf(head);
  };
  EXPECT_EQ(refusal(503, "over_capacity"), Setback::kOverCapacity);
  EXPECT_EQ(refusal(503, "shutting_down"), Setback::kLeaving);
  EXPECT_EQ(refusal(503, ""), std::nullopt);
  EXPECT_EQ(refusal(504, "agent_timeout"), std::nullopt);
  EXPECT_EQ(refusal(200, "over_capacity"), std::nullopt);
}

TEST(GatewaysPassedTest, CountsOurOwnOnly) {
  const auto passed = [](std::initializer_list<std::string_view> values) {
    http::Fields fields;
    for (const std::string_view value : values) fields.Add("Via", value);
    return GatewaysPassed(fields);
  };
  EXPECT_EQ(passed({}), 0);
  EXPECT_EQ(passed({"1.1 krypton"}), 1);
  EXPECT_EQ(passed({"1.1 krypton, 1.0 fred, 1.1 krypton (a comment)", "HTTP/1.1  krypton"}), 3);
  EXPECT_EQ(passed({"1.1 kryptonite, krypton, 1.1", ",,", "1.1 other krypton"}), 0);
}

TEST(ServerTimingTest, MillisecondsByStage) {
  EXPECT_EQ(ServerTiming(StartStages{.decide = .0012, .start = .03, .ready = .0125}, .0441, .003),
            "decide;dur=1.2, start;dur=30.0, ready;dur=12.5, queue;dur=44.1, first_byte;dur=3.0");
  EXPECT_EQ(ServerTiming(std::nullopt, 1, .5), "queue;dur=1000.0, first_byte;dur=500.0");
}

}  // namespace
}  // namespace krypton::gateway
