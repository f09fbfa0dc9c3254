// What enters the registry, as watchers are told it.
#include "manager/registry/well_formed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "manager/registry/store.h"
#include "manager/testing/resources.h"

namespace krypton::manager {
namespace {

using testing::ElementsAre;

// What is not UTF-8 would make the message unreadable for every client.
TEST(WellFormedTest, WhatIsNotUtf8BecomesIt) {
  RegistryStore store;
  v1::RegistryEntry entry;
  *entry.mutable_key() = resource::AgentKey("default", "a");
  *entry.mutable_agent() = MakeAgent("a", {});
  entry.mutable_agent()->mutable_status()->add_conditions()->set_message("making /\xff: no");
  entry.mutable_agent()->mutable_spec()->add_image_pull_secrets()->assign("good \xc3\xa4");
  entry.mutable_agent()->mutable_spec()->add_image_pull_secrets()->assign("\xc3");
  entry.add_endpoints()->set_platform_ref("\xe2\x82");
  store.Put(entry);
  v1::ManifestProblem problem;
  problem.set_file("/ex/\xff.yaml");
  problem.set_field("spec.\xc3(");
  problem.set_reason("reading /ex/\xff.yaml: no");
  problem.mutable_key()->set_name("cut \xc3");
  store.SetProblems({problem});

  Cursor cursor = store.Resume("", 0);
  v1::WatchResponse response;
  ASSERT_TRUE(store.Next({}, cursor, &response));
  v1::WatchResponse read;
  ASSERT_TRUE(read.ParseFromString(response.SerializeAsString()));
  ASSERT_EQ(read.entries_size(), 1);
  const v1::Agent& agent = read.entries(0).agent();
  EXPECT_EQ(agent.status().conditions(0).message(), "making /\xef\xbf\xbd: no");
  EXPECT_THAT(agent.spec().image_pull_secrets(), ElementsAre("good \xc3\xa4", "\xef\xbf\xbd"));
  EXPECT_EQ(read.entries(0).endpoints(0).platform_ref(), "\xef\xbf\xbd\xef\xbf\xbd");
  ASSERT_EQ(read.problems().items_size(), 1);
  EXPECT_EQ(read.problems().items(0).file(), "/ex/\xef\xbf\xbd.yaml");
  EXPECT_EQ(read.problems().items(0).field(), "spec.\xef\xbf\xbd(");
  EXPECT_EQ(read.problems().items(0).reason(), "reading /ex/\xef\xbf\xbd.yaml: no");
  EXPECT_EQ(read.problems().items(0).key().name(), "cut \xef\xbf\xbd");
}

v1::ManifestProblem Problem(const std::string& file, const std::string& reason) {
  v1::ManifestProblem problem;
  problem.set_file(file);
  problem.set_reason(reason);
  return problem;
}

TEST(WellFormedTest, ProblemsAreBounded) {
  RegistryStore store;
  std::vector<v1::ManifestProblem> many;
  for (int i = 0; i < 3000; ++i) {
    many.push_back(Problem(absl::StrCat("/", std::string(300, 'd'), i), "wrong"));
  }
  store.SetProblems(many);
  const v1::ManifestProblems told = store.problems();
  EXPECT_LE(told.ByteSizeLong(), 256u << 10);
  EXPECT_GT(told.ByteSizeLong(), 250u << 10);
  EXPECT_EQ(told.items(0).file(), many[0].file());
  EXPECT_EQ(told.items(told.items_size() - 1).reason(),
            absl::StrCat("and ", 3000 - (told.items_size() - 1),
                         " more problems; each is in the manager's log (on one machine) or in its "
                         "resource's status (in a cluster)"));
  many.resize(300);
  store.SetProblems(many);
  EXPECT_EQ(store.problems().items_size(), 300);
}

TEST(WellFormedTest, AProblemIsBounded) {
  RegistryStore store;
  std::string reason(1023, 'x');
  reason += "\xc3\xa4" + std::string(1 << 20, 'y');
  store.SetProblems({Problem(std::string(1 << 20, 'd'), reason), Problem("b", "wrong")});
  const v1::ManifestProblems told = store.problems();
  ASSERT_EQ(told.items_size(), 2);
  EXPECT_EQ(told.items(0).file().size(), 4096u);
  EXPECT_EQ(told.items(0).reason(), std::string(1021, 'x') + "...");
}

}  // namespace
}  // namespace krypton::manager
