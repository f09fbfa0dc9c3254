#include "common/http/body_pace.h"

#include <gtest/gtest.h>

namespace krypton::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(BodyPaceTest, ASenderHasItsPatienceOnceAndGetsItBackByBytes) {
  BodyPace pace;
  pace.Require(500, seconds(20));
  EXPECT_EQ(pace.Patience(0), seconds(20));
  pace.Use(seconds(15));
  // A byte buys 2 ms.
  EXPECT_EQ(pace.Patience(1), seconds(5) + milliseconds(2));
  pace.Use(seconds(5));
  EXPECT_EQ(pace.Patience(2), milliseconds(4));
  EXPECT_EQ(pace.Patience(2 + 500), seconds(1) + milliseconds(4));
}

TEST(BodyPaceTest, WhatIsSentFastBuysNoLongerPauseLater) {
  BodyPace pace;
  pace.Require(500, seconds(20));
  EXPECT_EQ(pace.Patience(uint64_t{1} << 40), seconds(20));
  pace.Use(seconds(20));
  EXPECT_EQ(pace.Patience(uint64_t{1} << 40), seconds(0));
}

TEST(BodyPaceTest, ATimerThatFiresLateLeavesADebt) {
  BodyPace pace;
  pace.Require(1'000, seconds(1));
  EXPECT_EQ(pace.Patience(0), seconds(1));
  pace.Use(milliseconds(1'010));
  EXPECT_EQ(pace.Patience(5), seconds(0));
  EXPECT_EQ(pace.Patience(20), milliseconds(10));
}

TEST(BodyPaceTest, WithoutARateItHasNoBound) {
  BodyPace pace;
  pace.Require(0, seconds(1));
  EXPECT_EQ(pace.Patience(0), BodyPace::Duration::max());
  pace.Use(seconds(1'000));
  EXPECT_EQ(pace.Patience(1), BodyPace::Duration::max());
}

}  // namespace
}  // namespace krypton::http
