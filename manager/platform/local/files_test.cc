#include "manager/platform/local/files.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>

#include "common/testing/temp_folder.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

// What was flushed, in order, and whether `b` had its name by then.
std::vector<std::string> flushed;

void Note(const char* call, int fd) {
  const std::filesystem::path path =
      std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", fd));
  const bool is_folder = std::filesystem::is_directory(path);
  const bool named = std::filesystem::exists((is_folder ? path : path.parent_path()) / "b");
  flushed.push_back(fmt::format("{} {}{}", call, is_folder ? "folder" : path.filename().string(),
                                named ? " after" : " before"));
}

}  // namespace

// In the place of libc's.
extern "C" int fsync(int fd) {
  Note("fsync", fd);
  return static_cast<int>(syscall(SYS_fsync, fd));
}
extern "C" int syncfs(int fd) noexcept {
  Note("syncfs", fd);
  return 0;
}

namespace krypton::platform {
namespace {

using ::testing::ElementsAre;

class FilesTest : public ::testing::Test {
 protected:
  FilesTest() { flushed.clear(); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  const TempFolder temp_;
  const std::string& folder_ = temp_.path();
};

TEST_F(FilesTest, AFileThatLastsIsFlushedBeforeItHasItsNameAndTheNameAfterwards) {
  ASSERT_TRUE(WriteFilesDurably(folder_, {{Path("a"), "1"}, {Path("b"), "2"}}).ok());
  EXPECT_THAT(flushed,
              ElementsAre("fsync a.new before", "fsync b.new before", "fsync folder after"));
  EXPECT_EQ(*ReadFile(Path("a"), 10), "1");
  EXPECT_EQ(*ReadFile(Path("b"), 10), "2");
  EXPECT_THAT(*ListFolder(folder_), ElementsAre("a", "b"));
}

TEST_F(FilesTest, ManyFilesAreFlushedAtOnce) {
  std::vector<FileContent> files;
  for (char name = 'a'; name <= 'z'; ++name) files.push_back({Path({name}), "x"});
  ASSERT_TRUE(WriteFilesDurably(folder_, files).ok());
  EXPECT_THAT(flushed, ElementsAre("syncfs folder before", "fsync folder after"));
  EXPECT_EQ(ListFolder(folder_)->size(), 26u);
}

}  // namespace
}  // namespace krypton::platform
