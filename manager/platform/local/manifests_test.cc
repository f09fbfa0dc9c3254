// Manifests through the platform, without a replica: what an edit does, and how soon.
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "common/testing/file_limit.h"
#include "common/testing/wait_for.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "manager/platform/local/testing/machine.h"

namespace krypton::platform {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using testing::Machine;

class ManifestsTest : public Machine {
 protected:
  std::string Path(const std::string& file) const { return folder_ + "/manifests/" + file; }
  static std::string Simple(const std::string& name, const std::string& spec = "") {
    return Agent(name, "run", spec);
  }
  int PortOf(const std::string& name) {
    const auto resource = recorder_->resource("default/" + name);
    return resource == nullptr ? 0 : resource->port();
  }
  // Waits until the agent has this port (0: is not declared); how long that took is within a
  // second.
  bool Becomes(const std::string& name, int port) {
    const auto begin = steady_clock::now();
    const bool became = Wait([&] { return PortOf(name) == port; });
    EXPECT_LT(steady_clock::now() - begin, milliseconds(1000));
    return became;
  }
  bool HasProblems(size_t count) {
    return Wait([&] { return recorder_->problems().size() == count; });
  }
};

TEST_F(ManifestsTest, ChangesTakeEffectWithinASecond) {
  StartPlatform();
  WriteManifest("a.yaml", Simple("a", "  port: 1\n") + Simple("b", "  port: 1\n"));
  ASSERT_TRUE(Becomes("a", 1));
  ASSERT_TRUE(Becomes("b", 1));
  WriteManifest("a.yaml", Simple("a", "  port: 2\n") + Simple("b", "  port: 1\n"));
  ASSERT_TRUE(Becomes("a", 2));
  EXPECT_EQ(recorder_->resource("default/a")->generation(), 2);
  EXPECT_EQ(recorder_->resource("default/b")->generation(), 1);
  WriteManifest("a.yaml", Simple("b", "  port: 1\n"));
  ASSERT_TRUE(Becomes("a", 0));
  RemoveManifest("a.yaml");
  ASSERT_TRUE(Becomes("b", 0));
}

TEST_F(ManifestsTest, OnlyTheSpecCounts) {
  WriteManifest("a.yaml", Simple("a"));
  StartPlatform();
  const std::string uid = recorder_->resource("default/a")->metadata().uid();
  std::string labelled = Simple("a");
  labelled.replace(labelled.find("  name: a\n"), 10, "  name: a\n  labels: {x: z}\n");
  WriteManifest("a.yaml", "# a comment\n" + labelled);
  ASSERT_TRUE(
      Wait([&] { return recorder_->resource("default/a")->metadata().labels().size() == 1; }));
  EXPECT_EQ(recorder_->resource("default/a")->generation(), 1);
  // The command is what runs.
  WriteManifest("a.yaml", Agent("a", "another"));
  ASSERT_TRUE(Wait([&] { return recorder_->resource("default/a")->generation() == 2; }));
  EXPECT_EQ(recorder_->resource("default/a")->metadata().uid(), uid);
}

TEST_F(ManifestsTest, AMistakeDisturbsNothing) {
  WriteManifest("a.yaml", Simple("a", "  port: 1\n") + Simple("b", "  port: 1\n"));
  StartPlatform();
  // The last good version goes on; the other document's edit counts.
  WriteManifest("a.yaml", Simple("a", "  prot: 2\n") + Simple("b", "  port: 2\n"));
  ASSERT_TRUE(Becomes("b", 2));
  EXPECT_EQ(PortOf("a"), 1);
  ASSERT_TRUE(HasProblems(1));
  const auto problem = recorder_->problems()[0];
  EXPECT_EQ(problem.file(), Path("a.yaml"));
  EXPECT_EQ(problem.document(), 1);
  EXPECT_EQ(problem.field(), "spec.prot");
  EXPECT_THAT(problem.reason(), HasSubstr("did you mean \"port\"?"));
  // Also over a further edit that leaves the mistake.
  WriteManifest("a.yaml", Simple("a", "  prot: 2\n") + Simple("b", "  port: 3\n"));
  ASSERT_TRUE(Becomes("b", 3));
  EXPECT_EQ(PortOf("a"), 1);
  // A document that cannot even say its name may be any of them.
  WriteManifest("a.yaml", "---\n{ nothing\n" + Simple("b", "  port: 4\n"));
  ASSERT_TRUE(Becomes("b", 4));
  EXPECT_EQ(PortOf("a"), 1);
  WriteManifest("a.yaml", Simple("a", "  port: 5\n"));
  ASSERT_TRUE(Becomes("a", 5));
  ASSERT_TRUE(Becomes("b", 0));
  EXPECT_TRUE(HasProblems(0));
}

// What each file costs must not grow with the others: that would take minutes here.
TEST_F(ManifestsTest, ManyMistakesHoldNothingUp) {
  std::string wrong;
  for (int i = 0; i < 20; ++i) wrong += "---\nx: 1\n";
  for (int i = 0; i < 250; ++i) WriteManifest(fmt::format("bad{}.yaml", i), wrong);
  StartPlatform();
  const size_t each = 40;
  ASSERT_TRUE(HasProblems(250 * each));
  const auto begin = steady_clock::now();
  WriteManifest("worse.yaml", wrong);
  ASSERT_TRUE(HasProblems(251 * each));
  WriteManifest("good.yaml", Simple("good", "  port: 1\n"));
  ASSERT_TRUE(Wait([&] { return PortOf("good") == 1; }));
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST_F(ManifestsTest, ANameBelongsToWhoDeclaredItFirst) {
  WriteManifest("b.yaml", Simple("a", "  port: 1\n"));
  StartPlatform();
  WriteManifest("a.yaml", Simple("a", "  port: 2\n"));
  ASSERT_TRUE(HasProblems(1));
  EXPECT_EQ(PortOf("a"), 1);
  EXPECT_EQ(recorder_->problems()[0].file(), Path("a.yaml"));
  EXPECT_THAT(recorder_->problems()[0].reason(), HasSubstr("b.yaml declares it already"));
  RemoveManifest("b.yaml");
  ASSERT_TRUE(Becomes("a", 2));
  EXPECT_TRUE(HasProblems(0));
}

TEST_F(ManifestsTest, EditorsPatterns) {
  WriteManifest("a.yaml", Simple("a", "  port: 1\n"));
  StartPlatform();
  const std::string uid = recorder_->resource("default/a")->metadata().uid();
  // Written beside it and renamed over it.
  WriteManifest(".a.yaml.tmp", Simple("a", "  port: 2\n"));
  std::filesystem::rename(Path(".a.yaml.tmp"), Path("a.yaml"));
  ASSERT_TRUE(Becomes("a", 2));
  // The old one moved aside, then a new one made.
  std::filesystem::rename(Path("a.yaml"), Path("a.yaml~"));
  WriteManifest("a.yaml", Simple("a", "  port: 3\n"));
  ASSERT_TRUE(Becomes("a", 3));
  // Renamed.
  std::filesystem::rename(Path("a.yaml"), Path("c.yml"));
  WriteManifest("d.yaml", Simple("d", "  port: 4\n"));
  ASSERT_TRUE(Becomes("d", 4));
  EXPECT_EQ(PortOf("a"), 3);
  // It was the same one all the time.
  EXPECT_EQ(recorder_->resource("default/a")->metadata().uid(), uid);
}

TEST_F(ManifestsTest, AFileThatIsBeingWrittenIsLeftAlone) {
  WriteManifest("a.yaml", Simple("a", "  port: 1\n") + Simple("b", "  port: 1\n"));
  StartPlatform();
  // Emptied, then written in pieces: neither state in between is anybody's wish.
  FILE* const file = fopen(Path("a.yaml").c_str(), "w");
  const std::string text = Simple("a", "  port: 2\n") + Simple("b", "  port: 2\n");
  const auto begin = steady_clock::now();
  size_t written = 0;
  ASSERT_TRUE(Wait([&] {
    EXPECT_NE(PortOf("a"), 0);
    EXPECT_NE(PortOf("b"), 0);
    const auto passed = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
    const size_t due = text.size() * static_cast<size_t>(passed.count()) / 700;
    while (written < std::min(due, text.size())) fputc(text[written++], file);
    fflush(file);
    return written == text.size();
  }));
  fclose(file);
  ASSERT_TRUE(Becomes("a", 2));
  ASSERT_TRUE(Becomes("b", 2));
}

TEST_F(ManifestsTest, AFolderMayComeLaterAndBeReplaced) {
  settings_.manifests = {folder_ + "/later/", folder_ + "/manifests"};
  WriteManifest("a.yaml", Simple("a", "  port: 1\n"));
  StartPlatform();
  std::filesystem::create_directory(folder_ + "/later");
  std::ofstream(folder_ + "/later/b.yaml") << Simple("b", "  port: 1\n");
  ASSERT_TRUE(Becomes("b", 1));
  // Another folder in its place, as a checkout does it.
  std::filesystem::create_directory(folder_ + "/next");
  std::ofstream(folder_ + "/next/b.yaml") << Simple("b", "  port: 2\n");
  std::filesystem::rename(folder_ + "/later", folder_ + "/old");
  std::filesystem::rename(folder_ + "/next", folder_ + "/later");
  ASSERT_TRUE(Becomes("b", 2));
  std::ofstream(folder_ + "/later/b.yaml") << Simple("b", "  port: 3\n");
  ASSERT_TRUE(Becomes("b", 3));
  std::filesystem::remove_all(folder_ + "/later");
  ASSERT_TRUE(Becomes("b", 0));
  EXPECT_EQ(PortOf("a"), 1);
}

TEST_F(ManifestsTest, AFolderThatCannotBeListedStaysAsItWas) {
  if (!kFilesMayRunOut) GTEST_SKIP() << "UBSan needs a descriptor";
  WriteManifest("a.yaml", Simple("a", "  port: 1\n"));
  WriteManifest("b.yaml", Simple("b", "  port: 1\n"));
  StartPlatform();
  {
    const FileLimit none(3);
    // Seen while nothing can be: only afterwards does it count.
    std::filesystem::remove(Path("b.yaml"));
    ASSERT_TRUE(HasProblems(1));
    EXPECT_EQ(recorder_->problems()[0].file(), folder_ + "/manifests");
    EXPECT_THAT(recorder_->problems()[0].reason(), HasSubstr("Too many open files"));
    // Three times as long as what is gone stays known.
    EXPECT_FALSE(WaitFor([&] { return PortOf("a") != 1 || PortOf("b") != 1; }, milliseconds(1000)));
    EXPECT_EQ(PortOf("a"), 1);
    EXPECT_EQ(PortOf("b"), 1);
  }
  ASSERT_TRUE(Becomes("b", 0));
  EXPECT_TRUE(HasProblems(0));
  EXPECT_EQ(PortOf("a"), 1);
}

TEST_F(ManifestsTest, AFileThatCannotBeReadForAMomentIsReadLater) {
  if (!kFilesMayRunOut) GTEST_SKIP() << "UBSan needs a descriptor";
  WriteManifest("a.yaml", Simple("a", "  port: 1\n"));
  WriteManifest(".next", Simple("a", "  port: 2\n"));
  settings_.manifests = {Path("a.yaml")};
  StartPlatform();
  {
    const FileLimit none(3);
    std::filesystem::rename(Path(".next"), Path("a.yaml"));
    ASSERT_TRUE(HasProblems(1));
    EXPECT_EQ(PortOf("a"), 1);
  }
  ASSERT_TRUE(Becomes("a", 2));
  EXPECT_TRUE(HasProblems(0));
}

// Only what does not exist is gone.
TEST_F(ManifestsTest, APathThatCannotBeReachedStaysAsItWas) {
  settings_.manifests = {folder_ + "/link", folder_ + "/file.yaml"};
  WriteManifest("a.yaml", Simple("a", "  port: 1\n"));
  const auto link = [&](const std::string& to, const std::string& from) {
    std::filesystem::remove(folder_ + from);
    std::filesystem::create_symlink(to, folder_ + from);
  };
  link("manifests", "/link");
  std::ofstream(folder_ + "/file.yaml") << Simple("b", "  port: 1\n");
  StartPlatform();
  EXPECT_EQ(PortOf("a"), 1);
  EXPECT_EQ(PortOf("b"), 1);
  link("link", "/link");
  link("file.yaml", "/file.yaml");
  ASSERT_TRUE(HasProblems(2));
  EXPECT_FALSE(WaitFor([&] { return PortOf("a") != 1 || PortOf("b") != 1; }, milliseconds(1000)));
  EXPECT_EQ(PortOf("a"), 1);
  EXPECT_EQ(PortOf("b"), 1);
  link("manifests", "/link");
  std::filesystem::remove(folder_ + "/file.yaml");
  ASSERT_TRUE(Becomes("b", 0));
  ASSERT_TRUE(HasProblems(0));
  EXPECT_EQ(PortOf("a"), 1);
}

// Its folder gives no sign.
TEST_F(ManifestsTest, AnEditBehindALinkTakesEffectWithinASecond) {
  std::filesystem::create_directory(folder_ + "/1");
  std::filesystem::create_directory(folder_ + "/2");
  std::ofstream(folder_ + "/1/x") << Simple("a", "  port: 1\n");
  std::ofstream(folder_ + "/2/x") << Simple("a", "  port: 3\n");
  std::filesystem::create_symlink("1", folder_ + "/current");
  std::filesystem::create_symlink("../current/x", Path("a.yaml"));
  StartPlatform();
  EXPECT_EQ(PortOf("a"), 1);
  std::ofstream(folder_ + "/1/x") << Simple("a", "  port: 2\n");
  ASSERT_TRUE(Becomes("a", 2));
  // As a mounted ConfigMap changes.
  std::filesystem::create_symlink("2", folder_ + "/next");
  std::filesystem::rename(folder_ + "/next", folder_ + "/current");
  ASSERT_TRUE(Becomes("a", 3));
  std::filesystem::remove(folder_ + "/2/x");
  ASSERT_TRUE(Becomes("a", 0));
}

TEST_F(ManifestsTest, AFolderBehindALinkMayBeReplaced) {
  for (const char* number : {"1", "2"}) {
    std::filesystem::create_directories(folder_ + "/" + number + "/agents");
    std::ofstream(folder_ + "/" + number + "/agents/a.yaml")
        << Simple("a", fmt::format("  port: {}\n", number));
  }
  std::filesystem::create_symlink("1", folder_ + "/current");
  settings_.manifests = {folder_ + "/current/agents"};
  StartPlatform();
  EXPECT_EQ(PortOf("a"), 1);
  std::filesystem::create_symlink("2", folder_ + "/next");
  std::filesystem::rename(folder_ + "/next", folder_ + "/current");
  ASSERT_TRUE(Becomes("a", 2));
}

TEST_F(ManifestsTest, WhatIsNoManifestIsNoTrouble) {
  WriteManifest("a.yaml", Simple("a", "  port: 1\n"));
  WriteManifest("notes.txt", "not: [yaml");
  WriteManifest(".hidden.yaml", "not: [yaml");
  std::filesystem::create_directory(Path("folder.yaml"));
  ASSERT_EQ(mkfifo(Path("pipe.yaml").c_str(), 0600), 0);
  std::filesystem::create_symlink("/nonexistent", Path("link.yaml"));
  StartPlatform();
  EXPECT_EQ(PortOf("a"), 1);
  ASSERT_TRUE(HasProblems(2));
  EXPECT_THAT(recorder_->problems()[0].reason(), HasSubstr("is not a regular file"));
  EXPECT_THAT(recorder_->problems()[1].reason(), HasSubstr("is not a regular file"));
}

TEST_F(ManifestsTest, ASingleFileMayBeGiven) {
  settings_.manifests = {Path("a.yaml")};
  WriteManifest("a.yaml", Simple("a", "  port: 1\n"));
  WriteManifest("b.yaml", Simple("b", "  port: 1\n"));
  StartPlatform();
  EXPECT_EQ(PortOf("a"), 1);
  EXPECT_EQ(PortOf("b"), 0);
  WriteManifest("a.yaml", Simple("a", "  port: 2\n"));
  ASSERT_TRUE(Becomes("a", 2));
}

TEST_F(ManifestsTest, AnAgentMayBecomeAModel) {
  WriteManifest("a.yaml", Simple("a", "  port: 1\n"));
  StartPlatform();
  WriteManifest(
      "a.yaml",
      "apiVersion: krypton.ai/v1alpha1\nkind: Model\nmetadata:\n  name: a\n  annotations: "
      "{krypton.ai/local-command: run}\nspec:\n  source: {path: m.gguf}\n  port: 2\n");
  ASSERT_TRUE(Becomes("a", 2));
  EXPECT_EQ(recorder_->resource("default/a")->kind(), v1::RESOURCE_KIND_MODEL);
  EXPECT_EQ(recorder_->resource("default/a")->generation(), 1);
}

// Which of the two runs is for the manager to say.
TEST_F(ManifestsTest, AnAgentAndAModelOfOneNameAreBothDeclared) {
  WriteManifest("a.yaml", Simple("a", "  port: 1\n"));
  StartPlatform();
  WriteManifest("b.yaml",
                "apiVersion: krypton.ai/v1alpha1\nkind: Model\nmetadata: {name: a}\nspec:\n  "
                "source: {path: m.gguf}\n  port: 2\n");
  ASSERT_TRUE(Becomes("a", 2));
  RemoveManifest("b.yaml");
  ASSERT_TRUE(Becomes("a", 0));
  WriteManifest("a.yaml", Simple("a", "  port: 3\n"));
  ASSERT_TRUE(Becomes("a", 3));
  EXPECT_EQ(recorder_->resource("default/a")->generation(), 2) << "it was declared all the time";
  EXPECT_TRUE(HasProblems(0));
}

}  // namespace
}  // namespace krypton::platform
