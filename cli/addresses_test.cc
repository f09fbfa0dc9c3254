#include "cli/addresses.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace krypton::cli {
namespace {

class AddressesTest : public ::testing::Test {
 protected:
  AddressesTest() : path_(testing::TempDir() + "ready." + std::to_string(getpid())) {}
  ~AddressesTest() override { unlink(path_.c_str()); }
  void Write(const std::string& content) { std::ofstream(path_) << content; }

  const std::string path_;
};

TEST_F(AddressesTest, WhatIsGivenWins) {
  const std::string pid = std::to_string(getpid());
  Write(R"({"control_plane":{"pid":)" + pid + R"(,"grpc":"127.0.0.1:1"},"gateway":{"pid":)" + pid +
        R"(,"http":"127.0.0.1:2"}})");
  const Addresses found = FindAddresses({"a:1", ""}, path_);
  EXPECT_EQ(found.control_plane, "a:1");
  EXPECT_EQ(found.gateway, "127.0.0.1:2");
}

TEST_F(AddressesTest, WithoutAFileTheDesignsPortsAreMeant) {
  const Addresses found = FindAddresses({}, path_ + ".none");
  EXPECT_EQ(found.control_plane, "127.0.0.1:7090");
  EXPECT_EQ(found.gateway, "127.0.0.1:8080");
}

TEST_F(AddressesTest, AFileOfProcessesThatAreGoneIsNone) {
  // Above the kernel's highest process id.
  Write(R"({"gateway":{"pid":2000000000,"http":"127.0.0.1:2"}})");
  EXPECT_EQ(FindAddresses({}, path_).gateway, "127.0.0.1:8080");
}

TEST_F(AddressesTest, AMeshThatRunsIsToldWithoutDefaults) {
  EXPECT_EQ(RunningMesh(path_ + ".none").gateway, "");
  Write(R"({"gateway":{"pid":2000000000,"http":"127.0.0.1:2"}})");
  EXPECT_EQ(RunningMesh(path_).gateway, "");
  Write(R"({"gateway":{"pid":)" + std::to_string(getpid()) + R"(,"http":"127.0.0.1:2"}})");
  EXPECT_EQ(RunningMesh(path_).gateway, "127.0.0.1:2");
  EXPECT_EQ(RunningMesh(path_).control_plane, "");
}

TEST_F(AddressesTest, AFileThatIsDamagedIsNone) {
  for (const char* content :
       {"", "{", "[]", R"({"control_plane":1})", R"({"gateway":{"http":[]}})"}) {
    Write(content);
    EXPECT_EQ(FindAddresses({}, path_).gateway, "127.0.0.1:8080") << content;
  }
}

TEST(StateFolderOfTest, IsAnotherForEachFolderOfManifests) {
  const std::string one = StateFolderOf("/home/ada/one/examples");
  EXPECT_EQ(one, StateFolderOf("/home/ada/one/examples"));
  EXPECT_NE(one, StateFolderOf("/home/ada/two/examples"));
  EXPECT_EQ(one.substr(0, one.size() - 8), RunFolder() + "/examples-");
  EXPECT_EQ(StateFolderOf("/a/x y;" + std::string(300, 'z')).find_first_of(" ;"),
            std::string::npos);
  EXPECT_LT(StateFolderOf("/a/" + std::string(300, 'z')).size(), RunFolder().size() + 50);
}

}  // namespace
}  // namespace krypton::cli
