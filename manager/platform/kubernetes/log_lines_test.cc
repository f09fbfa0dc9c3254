#include "manager/platform/kubernetes/log_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace krypton::kube {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LogLinesTest, LinesAreWholeWhateverThePieces) {
  LogLines lines(false);
  EXPECT_THAT(lines.Add("on"), IsEmpty());
  EXPECT_THAT(lines.Add("e\ntwo\n\nthr"), ElementsAre("one", "two", ""));
  EXPECT_THAT(lines.Add("ee"), IsEmpty());
  EXPECT_THAT(lines.Rest(), ElementsAre("three"));
  EXPECT_THAT(lines.Rest(), IsEmpty());
  EXPECT_EQ(lines.last_time(), "");
}

TEST(LogLinesTest, ALongLineComesInPartsAndWhatIsNoTextBecomesText) {
  LogLines lines(false);
  const auto parts = lines.Add(std::string(40'000, 'x') + "\na\xff\n");
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(parts[0].size() + parts[1].size() + parts[2].size(), 40'000u);
  EXPECT_EQ(parts[3], "a\xef\xbf\xbd");
}

TEST(LogLinesTest, StampsAreTakenOffAndTheLastOneIsKnown) {
  LogLines lines(true);
  EXPECT_THAT(
      lines.Add("2026-11-24T10:00:00.100000000Z one\n2026-11-24T12:00:01.5+02:00 two words\n"),
      ElementsAre("one", "two words"));
  EXPECT_EQ(lines.last_time(), "2026-11-24T10:00:01.500Z");
  EXPECT_THAT(lines.Add("no stamp\n"), ElementsAre("no stamp"));
}

TEST(LogLinesTest, WhatWasReadBeforeABreakIsNotReadAgain) {
  LogLines lines(true);
  const std::string a = "2026-11-24T10:00:00.100000000Z a\n";
  const std::string b = "2026-11-24T10:00:00.200000000Z b\n";
  const std::string c = "2026-11-24T10:00:00.200000000Z c\n";
  const std::string d = "2026-11-24T10:00:00.200000000Z d\n";
  const std::string e = "2026-11-24T10:00:00.300000000Z e\n";
  EXPECT_THAT(lines.Add(a + b + c + "2026-11-24T10:00:00.2"), ElementsAre("a", "b", "c"));
  lines.Resume();
  EXPECT_THAT(lines.Add(a + b + c + d), ElementsAre("d"));
  lines.Resume();
  EXPECT_THAT(lines.Add(a + b + c + d + e), ElementsAre("e"));
  lines.Resume();
  EXPECT_THAT(lines.Add(e), IsEmpty());
  // The clock was set back: what follows is new all the same.
  EXPECT_THAT(lines.Add("2026-11-24T10:00:01Z f\n" + a), ElementsAre("f", "a"));
}

TEST(LogLinesTest, FurtherPartsOfALineThatWasReadAreNotReadAgain) {
  LogLines lines(true);
  const std::string line = "2026-11-24T10:00:00.1Z " + std::string(40'000, 'x') + "\n";
  EXPECT_EQ(lines.Add(line).size(), 3u);
  lines.Resume();
  EXPECT_THAT(lines.Add(line + "2026-11-24T10:00:00.2Z y\n"), ElementsAre("y"));
}

}  // namespace
}  // namespace krypton::kube
