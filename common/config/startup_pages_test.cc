#include "common/config/startup_pages.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace krypton::config {
namespace {

// Resident pages that files back.
long ResidentFilePages() {
  long size = 0, resident = 0, shared = 0;
  std::ifstream("/proc/self/statm") >> size >> resident >> shared;
  return shared;
}

TEST(StartupPagesTest, TheProcessIsSmallerAndStillWhole) {
  const std::string constant = "read before and after";
  const long before = ResidentFilePages();
  ReleaseStartupPages();
  const long after = ResidentFilePages();
  EXPECT_LT(after, before);
  EXPECT_EQ(constant, "read before and after");
}

}  // namespace
}  // namespace krypton::config
