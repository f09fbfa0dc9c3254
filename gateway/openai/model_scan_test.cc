#include "gateway/openai/model_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace krypton::gateway {
namespace {

using Extent = ModelScan::Extent;
using State = ModelScan::State;
using testing::HasSubstr;

// The model, or what is wrong.
std::string Scan(const std::vector<std::string_view>& pieces, Extent extent) {
  ModelScan scan(extent);
  State state = State::kMore;
  for (const std::string_view piece : pieces) state = scan.Feed(piece);
  if (state == State::kMore) state = scan.End();
  return state == State::kFound ? scan.model() : "! " + scan.problem();
}

std::string ScanHoweverCut(const std::string& body, Extent extent) {
  const std::string_view all = body;
  const std::string whole = Scan({all}, extent);
  std::vector<std::string_view> bytes;
  for (size_t cut = 0; cut <= all.size(); ++cut) {
    EXPECT_EQ(Scan({all.substr(0, cut), all.substr(cut)}, extent), whole)
        << body << " cut at " << cut;
    if (cut < all.size()) bytes.push_back(all.substr(cut, 1));
  }
  EXPECT_EQ(Scan(bytes, extent), whole) << body << " byte by byte";
  return whole;
}

struct Row {
  std::string body;
  std::string model;
};

TEST(ModelScanTest, FindsTheTopLevelKeyWhereverItIs) {
  const std::vector<Row> rows = {
      {R"({"model":"llama"})", "llama"},
      {R"({"messages":[{"model":"no"}],"a":{"model":"no"},"model":"yes"})", "yes"},
      {R"({"a":"\"model\":\"no\"","model" : "default/llama" , "stream":true})", "default/llama"},
      {R"({"mod\u0065l":"l\u006cama"})", "llama"},
      {R"({"Model":"no","model ":"no","model":"yes"})", "yes"},
      {"\r\n\t {\"model\":\"\U0001f600\"}\n", "\U0001f600"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(ScanHoweverCut(row.body, Extent::kUpToModel), row.model) << row.body;
    EXPECT_EQ(ScanHoweverCut(row.body, Extent::kWhole), row.model) << row.body;
  }
}

TEST(ModelScanTest, SaysWhatIsWrongWithABodyWithoutAModel) {
  const std::vector<Row> rows = {
      {"", "empty"},
      {R"({})", "no key \"model\""},
      {R"({"messages":[]})", "no key \"model\""},
      {R"({"model":null})", "must be a string"},
      {R"({"model":7})", "must be a string"},
      {R"({"model":["llama"]})", "must be a string"},
      {R"({"model":""})", "must not be empty"},
      {R"(["model"])", "must be a JSON object"},
      {R"("model")", "must be a JSON object"},
      {"12", "must be a JSON object"},
      {R"({"messages":[],)", "ends in the middle"},
      {R"({"messages":[}, "model":"m"})", "no JSON at byte 14: a value was expected"},
      {"{\"a\":\"\xff\",\"model\":\"m\"}", "no JSON at byte 7: a string is not UTF-8"},
      {"--boundary\r\n", "no JSON at byte 1"},
  };
  for (const Row& row : rows) {
    for (const Extent extent : {Extent::kUpToModel, Extent::kWhole}) {
      const std::string said = ScanHoweverCut(row.body, extent);
      EXPECT_EQ(said.substr(0, 2), "! ") << row.body;
      EXPECT_THAT(said, HasSubstr(row.model)) << row.body;
    }
  }
}

TEST(ModelScanTest, WhatComesBehindTheModelIsReadOnlyOfAWholeBody) {
  const std::vector<Row> rows = {
      {R"({"model":"a","model":"b"})", "! the body has two keys \"model\""},
      {R"({"model":"a",})", "! the body is no JSON at byte 14: a key was expected"},
      {R"({"model":"a")", "! the body ends in the middle of its JSON"},
      {R"({"model":"a"}x)", "! the body is no JSON at byte 14: something follows its end"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(ScanHoweverCut(row.body, Extent::kUpToModel), "a") << row.body;
    EXPECT_EQ(ScanHoweverCut(row.body, Extent::kWhole), row.model) << row.body;
  }
}

}  // namespace
}  // namespace krypton::gateway
