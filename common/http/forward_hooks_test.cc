// What a plan's hooks make of the bodies that pass: as a stand-in, capitals and a star at the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>

#include "common/http/proxy_fixture.h"
#include "common/http/socket.h"
#include "common/testing/wait_for.h"

namespace krypton::http::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

// Belongs to the worker of its one request at a time.
struct Capitals {
  void Pass(IoVecs& pieces, bool last, bool with_star) {
    out.clear();
    for (size_t i = 0; i < pieces.count(); ++i) {
      const auto* bytes = static_cast<const char*>(pieces.data()[i].iov_base);
      for (size_t at = 0; at < pieces.data()[i].iov_len; ++at) {
        out.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(bytes[at]))));
      }
    }
    if (last && with_star) out.push_back('*');
    pieces.Clear();
    pieces.Add(out);
  }
  std::string out;
};

TEST(ForwardHooksTest, TheRequestsBodyIsChangedAndItsLengthWithIt) {
  Recorder recorder(kOk);
  Origin origin(recorder.script());
  Capitals capitals;
  int begun = 0;
  ProxyFixture proxy(origin.address(), [&](Exchange&, ForwardPlan& plan) {
    plan.request_growth = 1;
    plan.on_request_body = [&](IoVecs& pieces, bool first, bool last) {
      begun += first ? 1 : 0;
      capitals.Pass(pieces, last, true);
    };
  });
  RawSocket client = proxy.Connect();
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
  // What has come goes on before the rest is there.
  EXPECT_TRUE(WaitFor([&] { return origin.connections() == 1; }));
  client.Send("world");
  EXPECT_EQ(ReadResponse(client).status, 200);
  EXPECT_THAT(recorder.last(), HasSubstr("Content-Length: 11\r\n"));
  EXPECT_THAT(recorder.last(), EndsWith("\r\n\r\nHELLOWORLD*"));
  client.Send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
  EXPECT_EQ(ReadResponse(client).status, 200);
  EXPECT_THAT(recorder.last(), EndsWith("\r\n\r\n3\r\nAB*\r\n0\r\n\r\n"));
  EXPECT_EQ(begun, 2);
}

TEST(ForwardHooksTest, TheAnswersBodyIsChangedPieceByPiece) {
  Origin origin([](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    socket.Send("3\r\ndef\r\n0\r\nX-T: 1\r\n\r\n");
  });
  Capitals capitals;
  ProxyFixture proxy(origin.address(), [&](Exchange&, ForwardPlan& plan) {
    plan.on_answer_body = [&](IoVecs& pieces, bool last) { capitals.Pass(pieces, last, true); };
  });
  RawSocket client = proxy.Connect();
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(ReadResponse(client).body, "ABCDEF*");
  EXPECT_EQ(proxy.WaitForResult().end, ForwardEnd::kAnswered);
}

// Holds everything back to the end.
TEST(ForwardHooksTest, AnAnswerThatIsHeldBackComesAtItsEnd) {
  Recorder recorder("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef");
  Origin origin(recorder.script());
  std::string held;
  ProxyFixture proxy(origin.address(), [&](Exchange&, ForwardPlan& plan) {
    plan.on_answer_body = [&](IoVecs& pieces, bool last) {
      for (size_t i = 0; i < pieces.count(); ++i) {
        held.append(static_cast<const char*>(pieces.data()[i].iov_base), pieces.data()[i].iov_len);
      }
      pieces.Clear();
      if (last) pieces.Add(held);
    };
  });
  RawSocket client = proxy.Connect();
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(ReadResponse(client).body, "abcdef");
}

struct Broken {
  std::string answer;
  std::string version;
  // Of the client's answer; empty: it is cut off.
  std::string body;
};

TEST(ForwardHooksTest, AnAnswerThatBreaksEndsWithWhatThePlanSaysToIt) {
  const std::vector<Broken> rows = {
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "1.1", "abc broke"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "1.1", "ab broke"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "1.0", "abc broke"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "1.1", ""},
  };
  for (const Broken& row : rows) {
    Origin origin([&](RawSocket& socket) {
      ReadRequest(socket);
      socket.Send(row.answer);
    });
    ProxyFixture proxy(origin.address(), [&](Exchange&, ForwardPlan& plan) {
      plan.on_break = [](ForwardEnd why) -> std::string {
        return why == ForwardEnd::kBroke ? " broke" : " otherwise";
      };
    });
    RawSocket client = proxy.Connect();
    client.Send("GET / HTTP/" + row.version + "\r\nHost: a\r\n\r\n");
    const std::string all = client.ReceiveAll();
    EXPECT_EQ(proxy.WaitForResult().end, ForwardEnd::kAborted) << row.answer;
    if (row.body.empty()) {
      EXPECT_THAT(all, EndsWith("\r\n\r\nabc"));
    } else if (row.version == "1.0") {
      EXPECT_THAT(all, EndsWith("\r\n\r\n" + row.body));
    } else {
      EXPECT_THAT(all, EndsWith("\r\n6\r\n broke\r\n0\r\n\r\n")) << row.answer;
    }
  }
}

TEST(ForwardHooksTest, AnAnswerThatBreaksMayEndInGoodOrderWithNothingMore) {
  for (const std::string version : {"1.1", "1.0"}) {
    Origin origin([&](RawSocket& socket) {
      ReadRequest(socket);
      socket.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    });
    ProxyFixture proxy(origin.address(), [&](Exchange&, ForwardPlan& plan) {
      plan.on_break = [](ForwardEnd) { return std::string(); };
    });
    RawSocket client = proxy.Connect();
    client.Send("GET / HTTP/" + version + "\r\nHost: a\r\n\r\n");
    const std::string all = client.ReceiveAll();
    EXPECT_THAT(all, EndsWith(version == "1.0" ? "\r\n\r\nabc" : "abc\r\n0\r\n\r\n"));
    EXPECT_EQ(proxy.WaitForResult().end, ForwardEnd::kAborted);
  }
}

TEST(ForwardHooksTest, WhatIsLookedAtFirstGoesOnWhole) {
  Recorder recorder(kOk);
  Origin origin(recorder.script());
  const std::string body(300'000, 'x');
  Fixture fixture([&](Exchange& exchange, Client& client) -> Task<void> {
    size_t seen = 0;
    while (seen < 100'000) {
      const auto piece = co_await exchange.HoldMore(200'000);
      if (!piece.ok() || piece->empty()) break;
      seen += piece->size();
    }
    EXPECT_EQ(exchange.held_body().size(), seen);
    ForwardPlan plan;
    plan.endpoint = *Endpoint::Parse(origin.address());
    const ForwardResult result = co_await Forward(exchange, client, plan);
    EXPECT_EQ(result.end, ForwardEnd::kAnswered);
    EXPECT_FALSE(result.replayable);  // More has passed than is held.
  });
  RawSocket client = fixture.Connect();
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n\r\n" + body);
  EXPECT_EQ(ReadResponse(client).status, 200);
  EXPECT_TRUE(recorder.last().ends_with("\r\n\r\n" + body));
}

}  // namespace
}  // namespace krypton::http::testing
