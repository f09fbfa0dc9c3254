#include "gateway/openai/usage_splice.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace krypton::gateway {
namespace {

using Fill = UsageSplice::Fill;

std::string Text(http::IoVecs& pieces) {
  std::string text;
  for (size_t i = 0; i < pieces.count(); ++i) {
    text.append(static_cast<const char*>(pieces.data()[i].iov_base), pieces.data()[i].iov_len);
  }
  return text;
}

struct Outcome {
  std::string body;
  bool asked = false;
  bool operator==(const Outcome&) const = default;
};

Outcome Splice(const std::vector<std::string_view>& pieces, Fill fill, bool is_stream = false) {
  UsageSplice splice(fill, is_stream);
  Outcome outcome;
  for (size_t i = 0; i < pieces.size(); ++i) {
    std::string bytes(pieces[i]);  // Gone after the call.
    http::IoVecs vecs;
    vecs.Add(bytes);
    splice.Pass(vecs, i + 1 == pieces.size());
    EXPECT_LE(vecs.count(), 1u);
    outcome.body.append(Text(vecs));
  }
  outcome.asked = splice.asked();
  return outcome;
}

struct Row {
  std::string body;
  // "": as it was.
  std::string spliced;
};

const std::vector<Row>& Rows() {
  static const auto* rows = new std::vector<Row>{
      {R"({"model":"m","stream":true})",
       R"({"model":"m","stream":true,"stream_options":{"include_usage":true}})"},
      {R"({"stream" : true , "model":"m" } )",
       R"({"stream" : true , "model":"m" ,"stream_options":{"include_usage":true}} )"},
      {R"({"stream":true,"stream_options":{}})",
       R"({"stream":true,"stream_options":{"include_usage":true}})"},
      {R"({"stream":true,"stream_options":{"a":{"include_usage":false}},"z":1})",
       R"({"stream":true,"stream_options":{"a":{"include_usage":false},"include_usage":true},"z":1})"},
      {R"({"stream":true,"stream_options":{"include_usage":false,"a":1}})",
       R"({"stream":true,"stream_options":{"include_usage":true,"a":1}})"},
      {R"({"stream":true,"stream_options":{"include_usage": null}})",
       R"({"stream":true,"stream_options":{"include_usage": true}})"},
      {R"({"stream":true,"stream_options": null ,"z":1})",
       R"({"stream":true,"stream_options": {"include_usage":true} ,"z":1})"},
      {R"({"stream":true,"stream_options":{"include_usage":true}})", ""},
      {R"({"stream":true,"stream_options":{"include_usage":1}})", ""},
      {R"({"stream":true,"stream_options":7})", ""},
      {R"({"stream":false})", ""},
      {R"({"stream":"true"})", ""},
      {R"({"a":{"stream":true}})", ""},
      {R"({"stream":false,"stream_options":{"include_usage":false}})", ""},
      {R"({"model":"m"})", ""},
      {R"([{"stream":true}])", ""},
      {R"({"stream":true)", ""},
      {R"({"stream":true]})", ""},
      {"", ""},
  };
  return *rows;
}

TEST(UsageSpliceTest, Table) {
  for (const Row& row : Rows()) {
    const bool asks = !row.spliced.empty();
    const Outcome wanted{asks ? row.spliced : row.body, asks};
    const std::string_view all = row.body;
    EXPECT_EQ(SpliceWhole(row.body).value_or(row.body), wanted.body);
    std::vector<std::string_view> bytes;
    for (size_t cut = 0; cut <= all.size(); ++cut) {
      EXPECT_EQ(Splice({all.substr(0, cut), all.substr(cut)}, Fill::kNone), wanted)
          << all << " cut at " << cut;
      if (cut < all.size()) bytes.push_back(all.substr(cut, 1));
    }
    bytes.emplace_back();
    EXPECT_EQ(Splice(bytes, Fill::kNone), wanted) << all << " byte by byte";
  }
}

TEST(UsageSpliceTest, ABodyWithALengthGrowsByAFixedNumberOfBytes) {
  for (const Row& row : Rows()) {
    const std::string_view all = row.body;
    const std::string wanted = row.spliced.empty() ? row.body : row.spliced;
    for (size_t cut = 0; cut <= all.size(); ++cut) {
      const Outcome outcome = Splice({all.substr(0, cut), all.substr(cut)}, Fill::kToGrowth);
      EXPECT_EQ(outcome.body.size(), all.size() + UsageSplice::kGrowth) << all;
      EXPECT_TRUE(outcome.body.starts_with(wanted)) << all << " cut at " << cut;
      EXPECT_EQ(outcome.body.find_first_not_of(' ', wanted.size()), std::string::npos) << all;
    }
  }
}

TEST(UsageSpliceTest, OptionsBeforeStreamAreChangedOnlyInABodyKnownAsAWhole) {
  const std::string body = R"({"stream_options":{"include_usage":false},"stream":true})";
  EXPECT_EQ(Splice({body}, Fill::kNone), (Outcome{body, false}));
  EXPECT_EQ(SpliceWhole(body), R"({"stream_options":{"include_usage":true},"stream":true})");
  const std::string null = R"({"stream_options":null,"stream":true})";
  EXPECT_EQ(Splice({null}, Fill::kNone), (Outcome{null, false}));
  EXPECT_EQ(SpliceWhole(null), R"({"stream_options":{"include_usage":true},"stream":true})");
}

TEST(UsageSpliceTest, EndlessWhiteSpaceIsNotHeld) {
  const std::string body = R"({"stream":true,"stream_options":)" + std::string(5000, ' ') + "null}";
  std::vector<std::string_view> pieces;
  for (std::string_view rest = body; !rest.empty();) {
    pieces.push_back(rest.substr(0, 100));
    rest.remove_prefix(pieces.back().size());
  }
  EXPECT_EQ(Splice(pieces, Fill::kNone), (Outcome{body, false}));
}

TEST(UsageSpliceTest, WhatNeedsNoChangeIsNotCopied) {
  UsageSplice splice(Fill::kNone);
  const std::string body = R"({"model":"m","messages":[]})";
  http::IoVecs pieces;
  pieces.Add(body);
  splice.Pass(pieces, /*last=*/true);
  EXPECT_EQ(pieces.data()->iov_base, body.data());
}

}  // namespace
}  // namespace krypton::gateway
