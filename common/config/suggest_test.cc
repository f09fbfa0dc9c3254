#include "common/config/suggest.h"

#include <gtest/gtest.h>

namespace krypton::config {
namespace {

TEST(SuggestTest, NearWordsOnly) {
  const std::vector<std::string_view> words = {"minReplicas", "maxReplicas", "port"};
  EXPECT_EQ(Nearest("minReplica", words), "minReplicas");
  EXPECT_EQ(Nearest("min-replicas", words), "minReplicas");
  EXPECT_EQ(Nearest("prot", words), "port");
  EXPECT_EQ(Nearest("replicas", words), "");
  EXPECT_EQ(Nearest("p", words), "");
  EXPECT_EQ(Nearest("", words), "");
}

}  // namespace
}  // namespace krypton::config
