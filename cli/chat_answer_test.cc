#include "cli/chat_answer.h"

#include <gtest/gtest.h>

namespace krypton::cli {
namespace {

constexpr char kAnswer[] =
    ": ping\n\n"
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n"
    "data: {\"choices\":[{\"delta\":{\"content\":\"Gr\\u00fc\"}}]}\r\n\r\n"
    "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"\xc3\x9f dich\"}}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n"
    "data: [DONE]\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"no more\"}}]}\n\n";

TEST(ChatAnswerTest, IsTheSameHoweverItIsCut) {
  const std::string_view all = kAnswer;
  for (size_t first = 0; first <= all.size(); ++first) {
    for (const size_t step : {size_t{1}, size_t{7}, all.size()}) {
      ChatAnswer answer;
      std::string added = answer.Take(all.substr(0, first));
      for (size_t at = first; at < all.size(); at += step)
        added += answer.Take(all.substr(at, step));
      ASSERT_EQ(added, "Gr\xc3\xbc\xc3\x9f dich") << first << " " << step;
      ASSERT_EQ(answer.text(), added);
      ASSERT_TRUE(answer.done() && answer.error().empty());
    }
  }
}

TEST(ChatAnswerTest, AnErrorEventEndsIt) {
  ChatAnswer answer;
  answer.Take("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n");
  EXPECT_FALSE(answer.done());
  answer.Take("data: {\"error\":{\"message\":\"it broke\",\"code\":\"agent_unreachable\"}}\n\n");
  EXPECT_EQ(answer.error(), "it broke");
  EXPECT_EQ(answer.Take("data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n"), "");
  EXPECT_EQ(answer.text(), "a");
}

TEST(ChatAnswerTest, WhatIsNoChunkIsAnError) {
  for (const char* data : {"data: {\n\n", "data: nonsense\n\n"}) {
    ChatAnswer answer;
    answer.Take(data);
    EXPECT_EQ(answer.error(), "an event of the answer is not JSON") << data;
  }
  for (const char* data :
       {"data: 1\n\n", "data: {\"choices\":[7]}\n\n", "data: {\"choices\":{}}\n\n"}) {
    ChatAnswer answer;
    EXPECT_EQ(answer.Take(data), "") << data;
    EXPECT_EQ(answer.error(), "") << data;
  }
}

TEST(ChatAnswerTest, AnEventHasABound) {
  ChatAnswer answer;
  const std::string part(64 << 10, 'x');
  for (int i = 0; i < 100 && answer.error().empty(); ++i) answer.Take(part);
  EXPECT_EQ(answer.error(), "an event of the answer is larger than 1 MiB");
}

}  // namespace
}  // namespace krypton::cli
