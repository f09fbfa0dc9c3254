#include "gateway/request_id.h"

#include <gtest/gtest.h>

#include <string>

namespace krypton::gateway {
namespace {

std::string IdOf(std::string_view sent) {
  http::Fields fields;
  if (!sent.empty()) fields.Add("X-Request-Id", sent);
  return std::string(RequestId(fields).value());
}

TEST(RequestIdTest, AClientsPlainOneIsKept) {
  EXPECT_EQ(IdOf("a-1_2.3:4/5+6=7@8"), "a-1_2.3:4/5+6=7@8");
  EXPECT_EQ(IdOf(std::string(128, 'x')), std::string(128, 'x'));
}

TEST(RequestIdTest, AnythingElseIsReplacedByOneOfOurOwn) {
  for (const std::string& sent : {std::string(), std::string(129, 'x'), std::string("a b"),
                                  std::string("a\"b"), std::string("\xc3\xa9")}) {
    EXPECT_EQ(IdOf(sent).size(), 32u) << sent;
    EXPECT_EQ(IdOf(sent).find_first_not_of("0123456789abcdef"), std::string::npos);
  }
  EXPECT_NE(IdOf(""), IdOf(""));
}

}  // namespace
}  // namespace krypton::gateway
