#include "common/config/ready_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace krypton::config {
namespace {

std::string Content(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

TEST(ReadyFileTest, HoldsPidAndAddressesAndNothingElseIsLeft) {
  const std::string folder = testing::TempDir() + "ready_file_test." + std::to_string(getpid());
  std::filesystem::create_directory(folder);
  const std::string path = folder + "/ready.json";
  ASSERT_TRUE(WriteReadyFile(path, {{"http", "127.0.0.1:8080"}, {"grpc", ""}}).ok());
  EXPECT_EQ(Content(path),
            "{\"pid\":" + std::to_string(getpid()) + ",\"http\":\"127.0.0.1:8080\"}\n");
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++files;
  EXPECT_EQ(files, 1u);
  std::filesystem::remove_all(folder);
}

TEST(ReadyFileTest, AFolderThatIsNotThereIsNamed) {
  const absl::Status status = WriteReadyFile("/does/not/exist/ready.json", {});
  EXPECT_NE(std::string(status.message()).find("/does/not/exist/ready.json"), std::string::npos);
}

TEST(ReadyFileTest, AnEmptyPathDoesNothing) { EXPECT_TRUE(WriteReadyFile("", {}).ok()); }

}  // namespace
}  // namespace krypton::config
