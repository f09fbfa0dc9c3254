#include "gateway/agent_card.h"

#include <gtest/gtest.h>

#include <string>

namespace krypton::gateway {
namespace {

using std::chrono::seconds;

const http::TimePoint kNow = http::TimePoint{} + std::chrono::hours(1);
const PublicBase kBase{
    .scheme = "https", .authority = "mesh.example", .prefix = "/v1/agents/default/echo"};

http::Fields Fields(std::initializer_list<http::Field> list) {
  http::Fields fields;
  for (const http::Field& field : list) fields.Add(field.name, field.value);
  return fields;
}

CardAnswer Answer(const http::Fields& response, const http::Fields& request = {}) {
  return MakeCardAnswer(request, response, "{}", kNow);
}

TEST(CardIndexTest, BothWellKnownPaths) {
  EXPECT_EQ(CardIndex("/.well-known/agent-card.json"), 0);
  EXPECT_EQ(CardIndex("/.well-known/agent.json"), 1);
  EXPECT_EQ(CardIndex("/.well-known/agent-card.json/"), std::nullopt);
  EXPECT_EQ(CardIndex(""), std::nullopt);
}

TEST(RewriteCardTest, Table) {
  struct Row {
    std::string before;
    std::string after;
  };
  const std::string here = "https://mesh.example/v1/agents/default/echo";
  const Row rows[] = {
      {"http://127.0.0.1:9000/", here + "/"},
      {"http://127.0.0.1:9000", here},
      {"http://localhost:9000/rpc?x=1", here + "/rpc?x=1"},
      {"http://[::1]:9000/a", here + "/a"},
      {"http://0.0.0.0/a", here + "/a"},
      {"http://seen.internal:8080/a", here + "/a"},
      {"http://mesh.example/a", here + "/a"},
      {"http://127.0.0.1:8080/v1/agents/default/echo/a", here + "/a"},
      {"http://127.0.0.1:8080/v1/agents/default/echoes", here + "/v1/agents/default/echoes"},
      // Elsewhere, or right already.
      {"https://other.example/a", ""},
      {here + "/a", ""},
      {"grpc://127.0.0.1:50051", ""},
      {"not a url", ""},
  };
  for (const Row& row : rows) {
    const std::string card = R"({"name":"x","url":")" + row.before + R"("})";
    const auto rewritten = RewriteCard(card, kBase, "seen.internal:8080");
    EXPECT_EQ(rewritten.value_or(""),
              row.after.empty() ? "" : R"({"name":"x","url":")" + row.after + R"("})")
        << row.before;
  }
}

TEST(RewriteCardTest, EveryInterfaceOfEveryVersion) {
  const auto rewritten = RewriteCard(
      R"({"supportedInterfaces":[{"url":"http://localhost/a","protocolVersion":"1.0"},
          {"url":"https://other.example/b"}],"additionalInterfaces":[{"url":"http://localhost/c"}],
          "documentationUrl":"http://localhost/docs"})",
      kBase, "");
  EXPECT_EQ(rewritten,
            R"({"supportedInterfaces":[{"url":"https://mesh.example/v1/agents/default/echo/a",)"
            R"("protocolVersion":"1.0"},{"url":"https://other.example/b"}],)"
            R"("additionalInterfaces":[{"url":"https://mesh.example/v1/agents/default/echo/c"}],)"
            R"("documentationUrl":"http://localhost/docs"})");
}

TEST(RewriteCardTest, NeverTouchesASignedOneNorWhatIsNoCard) {
  EXPECT_FALSE(
      RewriteCard(R"({"url":"http://localhost/","signatures":[{"protected":"x"}]})", kBase, ""));
  EXPECT_FALSE(RewriteCard(R"(["http://localhost/"])", kBase, ""));
  EXPECT_FALSE(RewriteCard("{\"url\":\"http://localhost/\"", kBase, ""));
  EXPECT_FALSE(RewriteCard(std::string(100'000, '['), kBase, ""));
  EXPECT_TRUE(RewriteCard(R"({"url":"http://localhost/","signatures":[]})", kBase, ""));
}

TEST(CardCachingTest, WhatMayBeStored) {
  const http::Fields plain, secret = Fields({{"authorization", "Bearer x"}});
  const auto stored = [](const http::Fields& request, std::string_view control) {
    return MayStore(request, Answer(Fields({{"Cache-Control", control}}), request));
  };
  EXPECT_TRUE(MayStore(plain, Answer({})));
  EXPECT_TRUE(stored(plain, "max-age=60"));
  EXPECT_FALSE(stored(plain, "max-age=60, No-Store"));
  EXPECT_FALSE(stored(plain, "private"));
  EXPECT_FALSE(stored(secret, "max-age=60"));
  EXPECT_TRUE(stored(secret, "public, max-age=60"));
  EXPECT_FALSE(MayStore(plain, Answer(Fields({{"vary", "*"}}))));
}

TEST(CardCachingTest, WhatMayBeServedWhileTheAgentSleeps) {
  const auto served = [](std::string_view control, seconds later) {
    return MayServe({}, Answer(Fields({{"cache-control", control}})), kNow + later);
  };
  EXPECT_TRUE(served("", seconds(100'000)));
  EXPECT_TRUE(served("max-age=60", seconds(100'000)));  // Stale, and nothing forbids it.
  EXPECT_FALSE(served("no-cache", seconds(0)));
  EXPECT_TRUE(served("max-age=60, must-revalidate", seconds(59)));
  EXPECT_FALSE(served("max-age=60, must-revalidate", seconds(60)));
  EXPECT_FALSE(served("must-revalidate", seconds(0)));
}

TEST(CardCachingTest, AnAnswerThatVariesIsForTheSameRequestOnly) {
  const http::Fields v1 = Fields({{"A2A-Version", "1.0"}}), v03;
  const CardAnswer answer = Answer(Fields({{"vary", "a2a-version"}}), v1);
  EXPECT_TRUE(MayServe(v1, answer, kNow));
  EXPECT_FALSE(MayServe(v03, answer, kNow));
}

TEST(CardCachingTest, AgeCountsFromTheAgent) {
  EXPECT_EQ(AgeOf(Answer(Fields({{"age", "10"}})), kNow + seconds(5)), 15);
  EXPECT_EQ(AgeOf(Answer(Fields({{"age", "nonsense"}})), kNow), 0);
}

TEST(CardCachingTest, EtagsCompareWeakly) {
  EXPECT_TRUE(Matches(R"("a", W/"b")", R"("b")"));
  EXPECT_TRUE(Matches("*", R"("b")"));
  EXPECT_FALSE(Matches(R"("a")", R"("b")"));
  EXPECT_FALSE(Matches("", R"("b")"));
  EXPECT_FALSE(Matches("*", ""));
}

TEST(AgentCardsTest, AChangedSpecForgetsTheCard) {
  AgentCards cards;
  EXPECT_FALSE(cards.Find(0, {}, 1, kNow));
  cards.Store(0, Answer({}), 1);
  EXPECT_TRUE(cards.Find(0, {}, 1, kNow));
  EXPECT_FALSE(cards.Find(1, {}, 1, kNow));
  EXPECT_FALSE(cards.Find(0, {}, 2, kNow));
}

}  // namespace
}  // namespace krypton::gateway
