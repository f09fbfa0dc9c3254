#include "gateway/openai/json_scanner.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace krypton::gateway {
namespace {

using Token = JsonScanner::Token;

char Letter(Token token) { return ".KSNtfn{}[]!"[static_cast<int>(token)]; }

// All tokens of pieces, as letters and, where they have one, their text.
std::string Walk(const std::vector<std::string_view>& pieces) {
  JsonScanner scanner;
  std::string walked;
  for (std::string_view piece : pieces) {
    while (true) {
      const JsonScanner::Step step = scanner.Next(piece);
      piece.remove_prefix(step.consumed);
      if (step.token == Token::kMore) break;
      walked.push_back(Letter(step.token));
      if (step.token == Token::kBad) return walked;
      if (step.token == Token::kKey || step.token == Token::kString) {
        walked.append("(").append(scanner.text()).append(")");
      }
    }
  }
  const bool had_number = !scanner.complete();
  if (!scanner.Finish()) return walked + "?";
  return had_number ? walked + "N" : walked;
}

// Cuts the text at each place, and into single bytes: the tokens are the same.
std::string WalkHoweverCut(const std::string& text) {
  const std::string_view all = text;
  const std::string whole = Walk({all});
  std::vector<std::string_view> bytes;
  for (size_t cut = 0; cut <= all.size(); ++cut) {
    EXPECT_EQ(Walk({all.substr(0, cut), all.substr(cut)}), whole) << text << " cut at " << cut;
    if (cut < all.size()) bytes.push_back(all.substr(cut, 1));
  }
  EXPECT_EQ(Walk(bytes), whole) << text << " byte by byte";
  return whole;
}

struct Row {
  std::string text;
  std::string walked;
};

TEST(JsonScannerTest, TellsTheTokensOfEachText) {
  const std::vector<Row> rows = {
      {"{}", "{}"},
      {" [ ] ", "[]"},
      {"null", "n"},
      {"-0.5e+10", "N"},
      {"[0,-1,2.5,1E9,1e-1]", "[NNNNN]"},
      {R"({"a":1,"b":[true,false,null,{"c":"d"}]} )", "{K(a)NK(b)[tfn{K(c)S(d)}]}"},
      {R"("\"\\\/\b\f\n\r\t")", "S(\"\\/\b\f\n\r\t)"},
      {R"("\u0041\u00e9\u20AC\ud83d\ude00")", "S(A\u00e9\u20ac\U0001f600)"},
      {"\"\u00e9\u20ac\U0001f600\"", "S(\u00e9\u20ac\U0001f600)"},
      {R"("\ud83dx\ude00")", "S(\ufffdx\ufffd)"},
      {R"("\ud83d\ud83d\ude00")", "S(\ufffd\U0001f600)"},
      {R"("\ud83d")", "S(\ufffd)"},
  };
  for (const Row& row : rows) EXPECT_EQ(WalkHoweverCut(row.text), row.walked) << row.text;
}

TEST(JsonScannerTest, RefusesWhatIsNoJson) {
  const std::vector<std::string> texts = {
      "{]",       "[}",       "{,}",      "[,]",         "[1,]",  R"({"a":1,})",
      R"({"a"})", "{1:2}",    R"({a:1})", "[1 2]",       "{} {}", "[]]",
      "nul1",     "tru",      "+1",       "01",          "1.",    "1.e5",
      "-",        "1e",       "1e+",      ".5",          "[-]",   "NaN",
      "'a'",      "\"\n\"",   "\"\\x\"",  R"("\u12g4")", "\"a",   "\xef\xbb\xbf{}",
      "[1",       R"({"a":)", "//",       "\"\x01\"",    "",
  };
  for (const std::string& text : texts) {
    const std::string walked = WalkHoweverCut(text);
    EXPECT_TRUE(walked.ends_with("!") || walked.ends_with("?")) << text << ": " << walked;
  }
}

// RFC 3629 §4, and Unicode's table 3-7.
TEST(JsonScannerTest, RefusesWhatIsNoUtf8) {
  const std::vector<std::string> bad = {
      "\x80",
      "\xc0\xaf",
      "\xc1\xbf",
      "\xc3",
      "\xc3(",
      "\xe0\x80\xaf",
      "\xe0\x9f\xbf",
      "\xed\xa0\x80",
      "\xed\xbf\xbf",
      "\xe2\x82",
      "\xf0\x80\x80\xaf",
      "\xf0\x8f\xbf\xbf",
      "\xf4\x90\x80\x80",
      "\xf5\x80\x80\x80",
      "\xff",
      "\xe2\x28\xa1",
  };
  for (const std::string& bytes : bad) {
    EXPECT_EQ(WalkHoweverCut("\"" + bytes + "\"").back(), '!') << bytes;
  }
  const std::vector<std::string> good = {"\xc2\x80",        "\xdf\xbf",     "\xe0\xa0\x80",
                                         "\xed\x9f\xbf",    "\xee\x80\x80", "\xf0\x90\x80\x80",
                                         "\xf4\x8f\xbf\xbf"};
  for (const std::string& bytes : good) {
    EXPECT_EQ(WalkHoweverCut("\"" + bytes + "\""), "S(" + bytes + ")");
  }
}

TEST(JsonScannerTest, NestingHasABound) {
  const std::string deep(JsonScanner::kMaxDepth, '[');
  EXPECT_EQ(Walk({deep}), deep + "?");
  EXPECT_EQ(Walk({deep + "["}), deep + "!");
}

TEST(JsonScannerTest, KeepsTheBeginningOfALongString) {
  JsonScanner scanner;
  const std::string text = "\"" + std::string(JsonScanner::kMaxText + 1, 'x') + "\"";
  EXPECT_EQ(scanner.Next(text).token, Token::kString);
  EXPECT_EQ(scanner.text().size(), JsonScanner::kMaxText);
  EXPECT_TRUE(scanner.text_cut());
}

TEST(JsonScannerTest, SaysWhereItWentWrong) {
  JsonScanner scanner;
  std::string_view text = R"({"a" 1})";
  EXPECT_EQ(scanner.Next(text).token, Token::kBeginObject);
  text.remove_prefix(1);
  EXPECT_EQ(scanner.Next(text).token, Token::kKey);
  text.remove_prefix(3);
  EXPECT_EQ(scanner.Next(text).token, Token::kBad);
  EXPECT_EQ(scanner.offset(), 6u);
  EXPECT_STREQ(scanner.problem(), "a colon was expected");
  EXPECT_EQ(scanner.Next("}").token, Token::kBad);
  EXPECT_FALSE(scanner.Finish());
}

}  // namespace
}  // namespace krypton::gateway
