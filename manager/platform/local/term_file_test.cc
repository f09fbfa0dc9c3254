#include "manager/platform/local/term_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace krypton::platform {
namespace {

using testing::HasSubstr;

class TermFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "krypton-term-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

TEST_F(TermFileTest, CountsStarts) {
  const std::string folder = folder_ + "/new/state";
  EXPECT_EQ(*NextTerm(folder), 1u);
  EXPECT_EQ(*NextTerm(folder), 2u);
  EXPECT_EQ(*NextTerm(folder), 3u);
}

TEST_F(TermFileTest, AFileThatHoldsNoNumberNeverTakesTheTermBack) {
  for (int i = 0; i < 5; ++i) (void)NextTerm(folder_);
  std::ofstream(folder_ + "/term") << "garbage";
  const uint64_t term = *NextTerm(folder_);
  EXPECT_GT(term, 1'000'000'000u);
  EXPECT_EQ(*NextTerm(folder_), term + 1);
}

TEST_F(TermFileTest, AnUnusableFolderIsNamedWithWhatToDo) {
  std::ofstream(folder_ + "/file") << "x";
  const auto term = NextTerm(folder_ + "/file/state");
  ASSERT_FALSE(term.ok());
  EXPECT_THAT(std::string(term.status().message()), HasSubstr(folder_ + "/file/state"));
  EXPECT_THAT(std::string(term.status().message()), HasSubstr("--state-dir"));
}

}  // namespace
}  // namespace krypton::platform
