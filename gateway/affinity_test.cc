#include "gateway/affinity.h"

#include <gtest/gtest.h>

namespace krypton::gateway {
namespace {

TEST(SessionMapTest, TheFirstAnswerThatCarriesASessionKeepsIt) {
  SessionMap sessions(10);
  sessions.Learn("s", "a", /*replace=*/false);
  sessions.Learn("s", "b", /*replace=*/false);
  EXPECT_EQ(sessions.Find("s"), "a");
  sessions.Learn("s", "b", /*replace=*/true);
  EXPECT_EQ(sessions.Find("s"), "b");
  EXPECT_EQ(sessions.Find("t"), "");
}

TEST(SessionMapTest, ForgetsWhatWasNotUsedForLongest) {
  SessionMap sessions(2);
  sessions.Learn("one", "a", false);
  sessions.Learn("two", "a", false);
  sessions.Find("one");
  sessions.Learn("three", "a", false);
  EXPECT_EQ(sessions.size(), 2u);
  EXPECT_EQ(sessions.Find("one"), "a");
  EXPECT_EQ(sessions.Find("two"), "");
}

TEST(SessionMapTest, ForgetsTheSessionsOfAReplicaThatIsGone) {
  SessionMap sessions(10);
  sessions.Learn("one", "a", false);
  sessions.Learn("two", "b", false);
  sessions.Forget("a");
  EXPECT_EQ(sessions.Find("one"), "");
  EXPECT_EQ(sessions.Find("two"), "b");
}

TEST(SessionMapTest, DoesNotKeepWhatIsNoSessionsName) {
  SessionMap sessions(10);
  sessions.Learn("", "a", false);
  sessions.Learn(std::string(SessionMap::kMaxSessionBytes + 1, 'x'), "a", false);
  EXPECT_EQ(sessions.size(), 0u);
}

}  // namespace
}  // namespace krypton::gateway
