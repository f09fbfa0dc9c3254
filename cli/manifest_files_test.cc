#include "cli/manifest_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace krypton::cli {
namespace {

TEST(ManifestFilesTest, NamesTellWhatIsAManifest) {
  for (const char* name : {"a.yaml", "a.yml"}) {
    EXPECT_TRUE(IsManifestName(name) && IsFollowedName(name)) << name;
  }
  EXPECT_TRUE(IsManifestName("a.json"));
  EXPECT_FALSE(IsFollowedName("a.json"));
  for (const char* name :
       {"", "README.md", "yaml", ".a.yaml", ".#a.yaml", "#a.yaml#", "a.yaml~", ".a.json"}) {
    EXPECT_FALSE(IsManifestName(name)) << name;
  }
}

TEST(ManifestFilesTest, AFolderGivesItsManifestsInOrder) {
  const std::string folder = testing::TempDir() + "manifests." + std::to_string(getpid());
  std::filesystem::create_directory(folder);
  for (const char* name : {"b.yaml", "a.json", "README.md", ".c.yaml"}) {
    std::ofstream(folder + "/" + name) << "x";
  }
  EXPECT_EQ(FilesIn(folder, IsManifestName),
            (std::vector<std::string>{folder + "/a.json", folder + "/b.yaml"}));
  EXPECT_EQ(FilesIn(folder, IsFollowedName), std::vector<std::string>{folder + "/b.yaml"});
  EXPECT_TRUE(FilesIn(folder + "/none", IsManifestName).empty());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace krypton::cli
