#include "gateway/openai/usage.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace krypton::gateway {
namespace {

using Extent = UsageReader::Extent;

// "prompt/completion", and '.' where choices are there and empty; "none" without usage.
std::string Read(const std::vector<std::string_view>& pieces, Extent extent = Extent::kWhole) {
  UsageReader reader(extent);
  for (const std::string_view piece : pieces) reader.Feed(piece);
  if (!reader.usage()) return "none";
  return std::to_string(reader.usage()->prompt_tokens) + "/" +
         std::to_string(reader.usage()->completion_tokens) + (reader.choices_empty() ? "." : "");
}

struct Row {
  std::string json;
  std::string usage;
};

TEST(UsageReaderTest, Table) {
  const std::vector<Row> rows = {
      {R"({"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}})", "3/5"},
      {R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}})", "3/5."},
      {R"({"usage":{"prompt_tokens":3,"completion_tokens":5},"choices":[]})", "3/5."},
      {R"({"choices":[{"usage":{"prompt_tokens":9}}],"usage":{"completion_tokens":5}})", "0/5"},
      {R"({"data":[{"embedding":[0.1,-2e-3]}],"usage":{"prompt_tokens":7,"total_tokens":7}})",
       "7/0"},
      {R"({"usage":{"prompt_tokens_details":{"prompt_tokens":9,"cached_tokens":1},)"
       R"("prompt_tokens":3}})",
       "3/0"},
      {R"({"type":"response.completed","response":{"output":[{"usage":{}}],)"
       R"("usage":{"input_tokens":11,"output_tokens":12}}})",
       "11/12"},
      {R"({"response":{"a":{}},"x":{"usage":{"prompt_tokens":9}}})", "none"},
      {R"({"usage":null})", "none"},
      {R"({"usage":7,"a":{"usage":{"prompt_tokens":9}}})", "none"},
      {R"({"usage":{}})", "0/0"},
      {R"({"usage":{"prompt_tokens":3.7,"completion_tokens":-4}})", "3/0"},
      {R"({"usage":{"prompt_tokens":1e30,"completion_tokens":99999999999999999999}})", "1/0"},
      {R"({"usage":{"prompt_tokens":"3","completion_tokens":null}})", "0/0"},
      {R"({"content":"\"usage\":{\"prompt_tokens\":9}"})", "none"},
      {R"([{"usage":{"prompt_tokens":9}}])", "none"},
      {R"({"usage":{"prompt_tokens":3)", "none"},
      {"no JSON", "none"},
      {"", "none"},
  };
  for (const Row& row : rows) {
    const std::string_view all = row.json;
    std::vector<std::string_view> bytes;
    for (size_t cut = 0; cut <= all.size(); ++cut) {
      EXPECT_EQ(Read({all.substr(0, cut), all.substr(cut)}), row.usage) << all << " cut at " << cut;
      if (cut < all.size()) bytes.push_back(all.substr(cut, 1));
    }
    EXPECT_EQ(Read(bytes), row.usage) << all << " byte by byte";
  }
}

TEST(UsageReaderTest, StopsOnceUsageIsThere) {
  UsageReader reader;
  reader.Feed(R"({"usage":{"prompt_tokens":3})");
  EXPECT_TRUE(reader.done());
  reader.Feed("\x01 whatever");
  EXPECT_EQ(reader.usage(), (Usage{.prompt_tokens = 3, .completion_tokens = 0}));
}

}  // namespace
}  // namespace krypton::gateway
