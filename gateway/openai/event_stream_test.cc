#include "gateway/openai/event_stream.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace krypton::gateway {
namespace {

using http::TimePoint;

std::string Text(http::IoVecs& pieces) {
  std::string text;
  for (size_t i = 0; i < pieces.count(); ++i) {
    text.append(static_cast<const char*>(pieces.data()[i].iov_base), pieces.data()[i].iov_len);
  }
  return text;
}

// Passes each piece in a call of its own; returns what came out of each.
std::vector<std::string> PassEach(EventStream& stream, const std::vector<std::string_view>& pieces,
                                  bool to_the_end = true) {
  std::vector<std::string> out;
  for (const std::string_view piece : pieces) {
    // The bytes are gone after the call, as those of a socket's buffer are.
    std::string bytes(piece);
    http::IoVecs vecs;
    vecs.Add(bytes);
    stream.Pass(vecs, /*last=*/false, TimePoint());
    out.push_back(Text(vecs));
  }
  if (!to_the_end) return out;
  http::IoVecs nothing;
  stream.Pass(nothing, /*last=*/true, TimePoint());
  out.push_back(Text(nothing));
  return out;
}

std::string Joined(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) joined.append(text);
  return joined;
}

// For each way to cut the text in two, for single bytes, and for two pieces in one call.
void ForEachCut(const std::string& text,
                const std::function<void(const std::vector<std::string_view>&)>& check) {
  const std::string_view all = text;
  std::vector<std::string_view> bytes;
  for (size_t cut = 0; cut <= all.size(); ++cut) {
    check({all.substr(0, cut), all.substr(cut)});
    if (cut < all.size()) bytes.push_back(all.substr(cut, 1));
  }
  check(bytes);
}

constexpr char kStream[] =
    "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
    ": keep-alive\n\n"
    "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":1\"}}]}\r\n\r\n"
    "event: x\ndata:{\"choices\":[{}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\n"
    "data: [DONE]\n\n";

TEST(EventSplitterTest, FindsTheEndsOfEventsHoweverTheStreamIsCut) {
  struct Row {
    std::string text;
    std::vector<size_t> ends;
  };
  const std::vector<Row> rows = {
      {"a\n\nb\n\n", {3, 6}},
      {"a\r\n\r\nb\r\n\r\n", {5, 10}},
      {"a\r\rb\r\r", {3, 6}},
      {"a\n\r\nb\r\n\n", {4, 8}},
      {"a\nb\n\n\n", {5, 6}},
      {"\n\na", {1, 2}},
      {"a\n", {}},
      {"a\r\nb\r\n", {}},
      {"a\r\n\nb", {4}},
      {"", {}},
  };
  for (const Row& row : rows) {
    EventSplitter splitter;
    std::vector<size_t> ends;
    size_t at = 0;
    for (size_t end;
         (end = splitter.Find(std::string_view(row.text).substr(at))) != EventSplitter::kNone;) {
      ends.push_back(at += end);
    }
    EXPECT_EQ(ends, row.ends) << row.text;
  }
}

TEST(DataLinesTest, FindsEachWhateverEndsTheLines) {
  for (const std::string end : {"\n", "\r", "\r\n"}) {
    const std::string event =
        "data:1" + end + "id: x" + end + "data: 2" + end + "data:" + end + end;
    DataLines lines(event);
    EXPECT_EQ(lines.Next(), "1");
    EXPECT_EQ(lines.Next(), " 2");
    EXPECT_EQ(lines.Next(), "");
    EXPECT_EQ(lines.Next(), std::nullopt);
  }
}

TEST(DataLinesTest, LooksAtEachByteOnceHoweverManyLinesThereAre) {
  for (const std::string line : {"data: 1\r", "data: 1\n", "data: 1\r\n", "x: data:\r"}) {
    std::string event;
    for (int i = 0; i < 5'000; ++i) event.append(line);
    DataLines lines(event);
    size_t before = 0;
    while (const auto data = lines.Next()) {
      // It has stopped behind the line that it gives.
      EXPECT_LE(lines.looked_at() - before, line.size() + 1);
      before = lines.looked_at();
    }
    EXPECT_EQ(lines.looked_at(), event.size());
  }
}

TEST(EventStreamTest, BytesPassUnchangedAndEventsWhole) {
  ForEachCut(kStream, [](const std::vector<std::string_view>& pieces) {
    EventStream stream(/*hide_usage=*/false);
    const std::vector<std::string> out = PassEach(stream, pieces);
    EXPECT_EQ(Joined(out), kStream);
    for (size_t i = 0; i + 1 < out.size(); ++i) {
      EXPECT_TRUE(out[i].empty() || out[i].ends_with("\n\n") || out[i].ends_with("\r\n\r\n") ||
                  out[i].ends_with("\r\n\r") || out[i] == "\n")
          << out[i];
    }
    EXPECT_EQ(stream.events(), 4);
    EXPECT_EQ(stream.usage(), (Usage{.prompt_tokens = 3, .completion_tokens = 5}));
  });
}

TEST(EventStreamTest, AWholeEventIsNotCopiedAndNeverWaits) {
  EventStream stream(/*hide_usage=*/false);
  const std::string event = "data: {\"a\":1}\r\n\r\n";
  http::IoVecs pieces;
  pieces.Add(event);
  stream.Pass(pieces, /*last=*/false, TimePoint());
  EXPECT_EQ(pieces.count(), 1u);
  EXPECT_EQ(pieces.data()->iov_base, event.data());
  EXPECT_EQ(pieces.bytes(), event.size());
}

TEST(EventStreamTest, PiecesOfOneCallKeepTheirOrderAndNumber) {
  const std::string_view all = kStream;
  for (size_t first = 0; first <= all.size(); ++first) {
    for (size_t second = first; second <= all.size(); second += 7) {
      EventStream stream(/*hide_usage=*/false);
      http::IoVecs pieces;
      pieces.Add(all.substr(0, first));
      pieces.Add(all.substr(first, second - first));
      pieces.Add(all.substr(second));
      const size_t count = pieces.count();
      stream.Pass(pieces, /*last=*/true, TimePoint());
      EXPECT_LE(pieces.count(), count);
      EXPECT_EQ(Text(pieces), all);
    }
  }
}

TEST(EventStreamTest, FirstAndLastEventAreThoseWithData) {
  EventStream stream(/*hide_usage=*/false);
  const auto pass = [&](std::string_view text, int second) {
    http::IoVecs pieces;
    pieces.Add(text);
    stream.Pass(pieces, /*last=*/false, TimePoint(std::chrono::seconds(second)));
  };
  pass(": hello\n\n", 1);
  pass("data: 1\n\n", 2);
  pass("data: 2\n", 3);
  pass("\n", 4);
  pass("data: [DONE]\n\n", 5);
  EXPECT_EQ(stream.first_event(), TimePoint(std::chrono::seconds(2)));
  EXPECT_EQ(stream.last_event(), TimePoint(std::chrono::seconds(4)));
  EXPECT_EQ(stream.events(), 2);
}

TEST(EventStreamTest, WhatUsageAddsIsTakenOutForAClientThatHasNotAsked) {
  const std::string with =
      "data: {\"choices\":[{\"delta\":{}}],\"usage\":null}\n\n"
      "data: {\"usage\" : null, \"choices\":[{\"usage\":null}]}\r\n\r\n"
      "data: {\"usage\":null}\n\n"
      "data: {\"a\":1.5,\"usage\":null,\"b\":\"\\\"usage\\\":null\"}\n\n"
      "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n"
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\n"
      "data: [DONE]\n\n";
  const std::string without =
      "data: {\"choices\":[{\"delta\":{}}]}\n\n"
      "data: { \"choices\":[{\"usage\":null}]}\r\n\r\n"
      "data: {}\n\n"
      "data: {\"a\":1.5,\"b\":\"\\\"usage\\\":null\"}\n\n"
      "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n"
      "data: [DONE]\n\n";
  ForEachCut(with, [&](const std::vector<std::string_view>& pieces) {
    EventStream stream(/*hide_usage=*/true);
    EXPECT_EQ(Joined(PassEach(stream, pieces)), without);
    EXPECT_EQ(stream.usage(), (Usage{.prompt_tokens = 3, .completion_tokens = 5}));
  });
}

TEST(EventStreamTest, ABrokenStreamEndsBetweenTwoEvents) {
  ForEachCut(kStream, [](const std::vector<std::string_view>& pieces) {
    if (pieces[0] == kStream) return;  // Complete: NothingIsAddedToACompleteStream.
    EventStream stream(/*hide_usage=*/false);
    std::vector<std::string> out = PassEach(stream, {pieces[0]}, /*to_the_end=*/false);
    out.push_back(stream.EndBroken("{\"error\":1}\n"));
    const std::string all = Joined(out);
    const std::string end = "data: {\"error\":1}\n\n";
    ASSERT_TRUE(all.ends_with(end));
    const std::string before = all.substr(0, all.size() - end.size());
    EXPECT_TRUE(std::string(kStream).starts_with(before));
    EXPECT_TRUE(before.empty() || before.ends_with("\n\n") || before.ends_with("\r\n\r") ||
                before.ends_with("\r\n\r\n"))
        << before;
  });
}

TEST(EventStreamTest, NothingIsAddedToACompleteStream) {
  const std::string text = kStream;
  const std::string responses =
      "event: response.created\ndata: {}\n\nevent: response.completed\ndata: {}\n\n";
  for (const std::string& all : {text, responses}) {
    ForEachCut(all, [&](const std::vector<std::string_view>& pieces) {
      EventStream stream(/*hide_usage=*/false);
      const std::string sent = Joined(PassEach(stream, {pieces[0]}, /*to_the_end=*/false));
      EXPECT_EQ(stream.complete(), sent == all) << sent;
      EXPECT_EQ(stream.EndBroken("{}").empty(), sent == all) << sent;
    });
  }
}

TEST(EventStreamTest, AnEventTooLongToHoldPassesAndIsRead) {
  const std::string text(EventStream::kMaxHeld * 2, 'x');
  const std::string event = "event: response.completed\ndata: {\"response\":{\"text\":\"" + text +
                            "\",\"usage\":{\"input_tokens\":3,\"output_tokens\":5}}}\n\n";
  const std::string all = event + "data: next\n\n";
  std::vector<std::string_view> pieces;
  for (std::string_view rest = all; !rest.empty();) {
    pieces.push_back(rest.substr(0, 1000));
    rest.remove_prefix(pieces.back().size());
  }
  EventStream stream(/*hide_usage=*/false);
  EXPECT_TRUE(Joined(PassEach(stream, pieces)) == all);
  EXPECT_EQ(stream.events(), 2);
  EXPECT_TRUE(stream.complete());
  EXPECT_EQ(stream.usage(), (Usage{.prompt_tokens = 3, .completion_tokens = 5}));

  EventStream broken(/*hide_usage=*/false);
  pieces.resize(80);
  const std::string sent = Joined(PassEach(broken, pieces, /*to_the_end=*/false));
  EXPECT_EQ(sent.size(), 80'000u);
  EXPECT_EQ(broken.EndBroken("{}"), "\n\ndata: {}\n\n");
}

TEST(EventStreamTest, AStreamThatEndsWithinAnEventIsPassedToItsLastByte) {
  for (const bool hide : {false, true}) {
    EventStream stream(hide);
    const std::string text = "data: 1\n\ndata: [DONE]\n";
    EXPECT_EQ(Joined(PassEach(stream, {text})), text);
    EXPECT_EQ(stream.events(), 1);
  }
}

}  // namespace
}  // namespace krypton::gateway
