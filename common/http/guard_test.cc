// The table of guard_table.h against a real server and against the parser alone, whole and split.
#include "common/http/guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/http/chunked.h"
#include "common/http/guard_table.h"
#include "common/http/parser.h"
#include "common/http/testing.h"
#include "common/http/text.h"

namespace krypton::http {
namespace {

using testing::Fixture;
using testing::GuardRow;
using testing::GuardTable;
using testing::RawResponse;
using testing::RawSocket;

// What a request came to: a status, and what a handler saw of it.
struct Outcome {
  int status = 0;
  std::string sees;
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << outcome.status << " '" << outcome.sees.substr(0, 80) << "'";
}

std::string Sees(const RequestHead& head, std::string_view body) {
  return Concat(head.method, " ", head.target, " ", head.host, " ", body);
}

// Parser, guard and decoder fed with `pieces`; status 0 when they want more.
Outcome Parse(const std::vector<std::string_view>& pieces) {
  RequestHead head;
  const HeadLimits limits;
  HeadReader reader(head.bytes, limits, true);
  BodyDecoder body;
  bool complete = false;
  std::string text;
  for (std::string_view piece : pieces) {
    if (!complete) {
      const HeadReader::Step step = reader.Feed(piece);
      if (step.error) return {step.error->Status(), ""};
      if (!step.complete) continue;
      piece.remove_prefix(step.consumed);
      complete = true;
      if (const auto error = ParseRequest(head, limits)) return {error->Status(), ""};
      BodyLimits body_limits;
      body_limits.max_body_bytes = Limits().max_body_bytes;
      body.Start(head.framing, head.content_length, body_limits);
    }
    while (!piece.empty() && body.state() == BodyDecoder::State::kMore) {
      const BodyDecoder::Step step = body.Next(piece);
      text.append(step.piece);
      piece.remove_prefix(step.consumed);
    }
    if (body.state() == BodyDecoder::State::kBad) return {400, ""};
    if (body.state() == BodyDecoder::State::kTooLarge) return {413, ""};
  }
  if (!complete || !body.done()) return {};
  return {200, head.method == "HEAD" ? "" : Sees(head, text)};
}

Task<void> Echo(Exchange& exchange, Client&) {
  std::string body;
  while (true) {
    const absl::StatusOr<std::string_view> piece = co_await exchange.ReadBody();
    if (!piece.ok()) {
      co_await exchange.RespondError(exchange.BodyError());
      co_return;
    }
    if (piece->empty()) break;
    body.append(*piece);
  }
  co_await exchange.Respond(200, {}, Sees(exchange.request(), body));
}

// Sends the row over a socket, in one go or byte by byte.
Outcome Ask(const Fixture& fixture, const GuardRow& row, bool byte_by_byte) {
  RawSocket socket = fixture.Connect();
  if (byte_by_byte) {
    for (const char& c : row.request) {
      if (!socket.Send({&c, 1})) break;
    }
  } else {
    socket.Send(row.request);
  }
  const RawResponse response = testing::ReadResponse(socket, row.request.starts_with("HEAD"));
  if (response.status >= 400) {
    EXPECT_NE(response.Field("krypton-error"), "") << row.name;
    EXPECT_EQ(response.Field("connection"), "close") << row.name;
    EXPECT_EQ(response.Field("content-type"), "application/json") << row.name;
    EXPECT_TRUE(socket.WaitForEof()) << row.name;
    return {response.status, ""};
  }
  return {response.status, response.body};
}

TEST(GuardTableTest, HasAtLeast120RowsWithNamesOfTheirOwn) {
  std::set<std::string> names;
  for (const GuardRow& row : GuardTable()) names.insert(row.name);
  EXPECT_EQ(names.size(), GuardTable().size());
  EXPECT_GE(names.size(), 120u);
}

TEST(GuardTableTest, ParserAgreesOnWholeRequests) {
  for (const GuardRow& row : GuardTable()) {
    EXPECT_EQ(Parse({row.request}), (Outcome{row.status, row.sees})) << row.name;
  }
}

TEST(GuardTableTest, SplittingAtEveryByteChangesNothing) {
  for (const GuardRow& row : GuardTable()) {
    const std::string_view request = row.request;
    // The long ones at every byte near their ends, and here and there between.
    const size_t step_after = 300;
    for (size_t at = 0; at <= request.size();
         at += (at > step_after && at + 300 < request.size()) ? 997 : 1) {
      const Outcome outcome = Parse({request.substr(0, at), request.substr(at)});
      ASSERT_EQ(outcome, (Outcome{row.status, row.sees})) << row.name << " split at " << at;
    }
  }
}

TEST(GuardTableTest, ByteByByteChangesNothing) {
  for (const GuardRow& row : GuardTable()) {
    std::vector<std::string_view> bytes;
    for (const char& c : row.request) bytes.emplace_back(&c, 1);
    EXPECT_EQ(Parse(bytes), (Outcome{row.status, row.sees})) << row.name;
  }
}

TEST(GuardTableTest, ServerAnswersWholeRequests) {
  const Fixture fixture(Echo);
  for (const GuardRow& row : GuardTable()) {
    EXPECT_EQ(Ask(fixture, row, false), (Outcome{row.status, row.sees})) << row.name;
  }
}

TEST(GuardTableTest, ServerAnswersByteByByte) {
  const Fixture fixture(Echo);
  for (const GuardRow& row : GuardTable()) {
    if (row.request.size() > 2000) continue;  // Their splits are the parser's test.
    EXPECT_EQ(Ask(fixture, row, true), (Outcome{row.status, row.sees})) << row.name;
  }
}

TEST(GuardTest, AuthorityIsHostAndPort) {
  for (const char* good : {"a", "a.b-c", "127.0.0.1", "[::1]", "[::1]:1", "a:65535", "a%20"}) {
    EXPECT_TRUE(IsAuthority(good)) << good;
  }
  for (const char* bad : {"", ":", "a:", "a:b", "a@b", "a,b", "[", "[]", "[]:1", "[::1]x", "a b"}) {
    EXPECT_FALSE(IsAuthority(bad)) << bad;
  }
}

TEST(GuardTest, ListHasFindsWholeTokens) {
  EXPECT_TRUE(ListHas("close", "close"));
  EXPECT_TRUE(ListHas("a ,\tCLOSE, b", "close"));
  EXPECT_FALSE(ListHas("closed", "close"));
  EXPECT_FALSE(ListHas("", "close"));
  EXPECT_TRUE(ListHas(",close,", "close"));
}

}  // namespace
}  // namespace krypton::http
