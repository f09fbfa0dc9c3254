#include "common/config/file.h"

#include <sys/stat.h>

#include <fstream>

#include "common/testing/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace krypton::config {
namespace {

class FileTest : public ::testing::Test {
 protected:
  const TempFolder temp_;
  const std::string& folder_ = temp_.path();
};

TEST_F(FileTest, AFileIsReadUpToABound) {
  const std::string path = folder_ + "/a";
  std::ofstream(path) << "12345";
  EXPECT_EQ(ReadFile(path, 5).value_or(""), "12345");
  const auto refused = ReadFile(path, 4);
  EXPECT_EQ(refused.status().message(), path + " has more than 4 bytes");
}

TEST_F(FileTest, WhatMightBlockIsRefused) {
  const std::string path = folder_ + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  for (const std::string& other : {path, folder_, std::string("/dev/zero")}) {
    const auto refused = ReadFile(other, 1 << 20);
    EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
    EXPECT_EQ(refused.status().message(), other + " is not a regular file");
  }
}

TEST_F(FileTest, ErrorsNameThePath) {
  const auto missing = ReadFile(folder_ + "/none", 1);
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_THAT(std::string(missing.status().message()),
              ::testing::StartsWith("opening " + folder_ + "/none: "));
}

}  // namespace
}  // namespace krypton::config
