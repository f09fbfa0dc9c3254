#include "manager/registry/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "manager/testing/resources.h"

namespace krypton::manager {
namespace {

using resource::AgentKey;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

v1::RegistryEntry Entry(const std::string& name, int generation = 1, size_t padding = 0) {
  v1::RegistryEntry entry;
  *entry.mutable_key() = AgentKey("default", name);
  *entry.mutable_agent() = MakeAgent(name, {.generation = generation});
  entry.mutable_agent()->mutable_spec()->set_runtime(std::string(padding, 'x'));
  return entry;
}

// A watcher that applies what it is sent, as registry::Client does.
class Watcher {
 public:
  explicit Watcher(const RegistryStore& store, std::vector<v1::ResourceKey> keys = {})
      : store_(store), keys_(std::move(keys)), cursor_(store.Resume("", 0)) {}

  // One message; false: there was none.
  bool ReadOne() {
    v1::WatchResponse response;
    if (!store_.Next(keys_, cursor_, &response)) return false;
    largest_ = std::max(largest_, response.ByteSizeLong());
    ++messages_;
    if (response.full() && !in_snapshot_) agents_.clear();
    in_snapshot_ = response.full() && !response.last_chunk();
    for (const v1::ResourceKey& key : response.removed()) {
      agents_.erase(key.name());
      ++removals_;
    }
    for (const v1::RegistryEntry& entry : response.entries()) {
      agents_[entry.key().name()] = entry.agent().metadata().generation();
      ++entries_;
    }
    if (response.has_problems()) problems_ = response.problems().items_size();
    if (response.last_chunk()) version_ = response.version();
    return true;
  }
  void Read() {
    while (ReadOne()) {
    }
  }
  void Reconnect() { cursor_ = store_.Resume(store_.epoch(), version_); }
  void Forget() { messages_ = entries_ = removals_ = 0; }

  std::map<std::string, int64_t> agents_;
  int messages_ = 0;
  int entries_ = 0;
  int removals_ = 0;
  int problems_ = -1;
  size_t largest_ = 0;
  uint64_t version_ = 0;

 private:
  const RegistryStore& store_;
  const std::vector<v1::ResourceKey> keys_;
  Cursor cursor_;
  bool in_snapshot_ = false;
};

TEST(RegistryStoreTest, AnEmptyRegistryIsSaidOnce) {
  RegistryStore store;
  Watcher watcher(store);
  watcher.Read();
  EXPECT_EQ(watcher.messages_, 1);
  EXPECT_EQ(watcher.problems_, 0);
  EXPECT_THAT(watcher.agents_, IsEmpty());
}

TEST(RegistryStoreTest, ASnapshotThenDeltas) {
  RegistryStore store;
  store.Put(Entry("a"));
  store.Put(Entry("b"));
  Watcher watcher(store);
  watcher.Read();
  EXPECT_EQ(watcher.messages_, 1);
  watcher.Forget();
  store.Put(Entry("b", 2));
  store.Put(Entry("c"));
  store.Remove(AgentKey("default", "a"));
  watcher.Read();
  EXPECT_EQ(watcher.messages_, 1);
  EXPECT_EQ(watcher.entries_, 2);
  EXPECT_EQ(watcher.agents_, (std::map<std::string, int64_t>{{"b", 2}, {"c", 1}}));
  EXPECT_EQ(watcher.version_, store.version());
}

TEST(RegistryStoreTest, WhatSaysTheSameChangesNothing) {
  RegistryStore store;
  store.Put(Entry("a"));
  const uint64_t version = store.version();
  store.Put(Entry("a"));
  store.Remove(AgentKey("default", "b"));
  store.SetProblems({});
  EXPECT_EQ(store.version(), version);
}

TEST(RegistryStoreTest, ASlowWatcherSkipsWhatWasOvertaken) {
  RegistryStore store;
  Watcher watcher(store);
  watcher.Read();
  watcher.Forget();
  for (int generation = 1; generation <= 1000; ++generation) store.Put(Entry("a", generation));
  watcher.Read();
  EXPECT_EQ(watcher.entries_, 1);
  EXPECT_EQ(watcher.agents_["a"], 1000);
}

TEST(RegistryStoreTest, NoMessageIsLargerThanAMebibyte) {
  RegistryStore store;
  for (int i = 0; i < 300; ++i) store.Put(Entry(absl::StrCat("agent-", i), 1, 10'000));
  Watcher watcher(store);
  watcher.Read();
  EXPECT_EQ(watcher.agents_.size(), 300u);
  EXPECT_GE(watcher.messages_, 3);
  EXPECT_LE(watcher.largest_, 1u << 20);
}

TEST(RegistryStoreTest, ChangesWithinASnapshotArriveWithIt) {
  RegistryStore store({.max_chunk_bytes = 2000});
  for (int i = 0; i < 20; ++i) store.Put(Entry(absl::StrCat("agent-", i), 1, 500));
  Watcher watcher(store);
  ASSERT_TRUE(watcher.ReadOne());
  ASSERT_TRUE(watcher.agents_.contains("agent-0"));
  store.Remove(AgentKey("default", "agent-0"));   // Sent already.
  store.Remove(AgentKey("default", "agent-19"));  // Not yet.
  store.Put(Entry("agent-1", 2));
  store.Put(Entry("late"));
  watcher.Read();
  EXPECT_EQ(watcher.agents_.size(), 19u);
  EXPECT_FALSE(watcher.agents_.contains("agent-0"));
  EXPECT_FALSE(watcher.agents_.contains("agent-19"));
  EXPECT_EQ(watcher.agents_["agent-1"], 2);
  EXPECT_TRUE(watcher.agents_.contains("late"));
}

TEST(RegistryStoreTest, WhoComesBackGetsOnlyWhatChanged) {
  RegistryStore store;
  for (int i = 0; i < 100; ++i) store.Put(Entry(absl::StrCat("agent-", i)));
  Watcher watcher(store);
  watcher.Read();
  store.Put(Entry("agent-5", 2));
  store.Remove(AgentKey("default", "agent-6"));
  watcher.Forget();
  watcher.Reconnect();
  watcher.Read();
  EXPECT_EQ(watcher.entries_, 1);
  EXPECT_EQ(watcher.removals_, 1);
  EXPECT_EQ(watcher.agents_.size(), 99u);
  EXPECT_EQ(watcher.agents_["agent-5"], 2);
}

TEST(RegistryStoreTest, WhoComesBackWithoutAChangeHearsThatThereIsNone) {
  RegistryStore store;
  store.Put(Entry("a"));
  Watcher watcher(store);
  watcher.Read();
  watcher.Forget();
  watcher.Reconnect();
  watcher.Read();
  EXPECT_EQ(watcher.messages_, 1);
  EXPECT_EQ(watcher.entries_, 0);
  EXPECT_EQ(watcher.agents_.size(), 1u);
}

TEST(RegistryStoreTest, AnotherEpochOrAVersionOfTheFutureGetsEverything) {
  RegistryStore store;
  store.Put(Entry("a"));
  EXPECT_TRUE(store.Resume("another", 1).full);
  EXPECT_TRUE(store.Resume(store.epoch(), 2).full);
  EXPECT_TRUE(store.Resume(store.epoch(), 0).full);
  EXPECT_FALSE(store.Resume(store.epoch(), 1).full);
  EXPECT_NE(RegistryStore().epoch(), store.epoch());
}

TEST(RegistryStoreTest, TombstonesAreBoundedAndWhoMissedOneGetsEverything) {
  RegistryStore store({.max_tombstones = 10});
  store.Put(Entry("stays"));
  for (int i = 0; i < 20; ++i) store.Put(Entry(absl::StrCat("agent-", i)));
  Watcher watcher(store);
  watcher.Read();
  for (int i = 0; i < 20; ++i) store.Remove(AgentKey("default", absl::StrCat("agent-", i)));
  EXPECT_TRUE(store.Resume(store.epoch(), watcher.version_).full);
  watcher.Reconnect();
  watcher.Forget();
  watcher.Read();
  EXPECT_EQ(watcher.removals_, 0);
  EXPECT_THAT(watcher.agents_, ElementsAre(testing::Pair("stays", 1)));
}

TEST(RegistryStoreTest, AKeyThatComesBackIsNoTombstoneAnyMore) {
  RegistryStore store({.max_tombstones = 1});
  store.Put(Entry("a"));
  store.Remove(AgentKey("default", "a"));
  store.Put(Entry("a"));
  store.Put(Entry("b"));
  store.Remove(AgentKey("default", "b"));
  Watcher watcher(store);
  watcher.Read();
  EXPECT_THAT(watcher.agents_, ElementsAre(testing::Pair("a", 1)));
}

TEST(RegistryStoreTest, AWatcherOfSomeKeysHearsOfThese) {
  RegistryStore store;
  for (const char* name : {"a", "b", "c"}) store.Put(Entry(name));
  Watcher watcher(store, {AgentKey("default", "b"), AgentKey("default", "later")});
  watcher.Read();
  EXPECT_THAT(watcher.agents_, ElementsAre(testing::Pair("b", 1)));
  store.Put(Entry("a", 2));
  watcher.Forget();
  watcher.Read();
  EXPECT_EQ(watcher.messages_, 0);
  store.Put(Entry("later"));
  store.Remove(AgentKey("default", "b"));
  watcher.Read();
  EXPECT_THAT(watcher.agents_, ElementsAre(testing::Pair("later", 1)));
}

TEST(RegistryStoreTest, ProblemsAreSentWhenTheyChange) {
  RegistryStore store;
  Watcher watcher(store);
  watcher.Read();
  v1::ManifestProblem problem;
  problem.set_reason("wrong");
  store.SetProblems({problem});
  watcher.Read();
  EXPECT_EQ(watcher.problems_, 1);
  store.SetProblems({});
  watcher.Read();
  EXPECT_EQ(watcher.problems_, 0);
}

// What is not UTF-8 would make the message unreadable for every client.
TEST(RegistryStoreTest, WhatIsNotUtf8BecomesIt) {
  RegistryStore store;
  v1::RegistryEntry entry = Entry("a");
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

TEST(RegistryStoreTest, ProblemsAreBounded) {
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

TEST(RegistryStoreTest, AProblemIsBounded) {
  RegistryStore store;
  std::string reason(1023, 'x');
  reason += "\xc3\xa4" + std::string(1 << 20, 'y');
  store.SetProblems({Problem(std::string(1 << 20, 'd'), reason), Problem("b", "wrong")});
  const v1::ManifestProblems told = store.problems();
  ASSERT_EQ(told.items_size(), 2);
  EXPECT_EQ(told.items(0).file().size(), 4096u);
  EXPECT_EQ(told.items(0).reason(), std::string(1021, 'x') + "...");
}

// Also where entries fill a message nearly, in a snapshot and in what changed since.
TEST(RegistryStoreTest, ProblemsKeepMessagesWithinTheirBound) {
  RegistryStore store;
  Watcher follower(store);
  follower.Read();
  store.Put(Entry("first"));
  std::vector<v1::ManifestProblem> many(3000, Problem(std::string(300, 'd'), "wrong"));
  store.SetProblems(many);
  for (int i = 0; i < 99; ++i) store.Put(Entry(absl::StrCat("agent-", i), 1, 20'000));
  Watcher newcomer(store);
  newcomer.Read();
  follower.Reconnect();
  follower.Read();
  for (const Watcher* watcher : {&newcomer, &follower}) {
    EXPECT_LE(watcher->largest_, 1u << 20);
    EXPECT_EQ(watcher->agents_.size(), 100u);
    EXPECT_EQ(watcher->problems_, store.problems().items_size());
  }
}

TEST(RegistryStoreTest, ListPagesByNamespace) {
  RegistryStore store;
  for (const char* name : {"b", "a", "c"}) store.Put(Entry(name));
  v1::RegistryEntry other = Entry("z");
  other.mutable_key()->set_namespace_("other");
  store.Put(other);
  std::vector<EntryPtr> page;
  EXPECT_EQ(store.List("default", 1, 1, &page), 3u);
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0]->key().name(), "b");
  page.clear();
  EXPECT_EQ(store.List("", 3, 10, &page), 4u);
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0]->key().name(), "z");
  page.clear();
  EXPECT_EQ(store.List("", 1000, 10, &page), 4u);
  EXPECT_TRUE(page.empty());
}

class CountingListener : public StoreListener {
 public:
  void OnStoreChange() override { ++count; }
  int count = 0;
};

TEST(RegistryStoreTest, ListenersHearOfWhatTheyWatch) {
  RegistryStore store;
  CountingListener all;
  CountingListener one;
  store.Subscribe({}, &all);
  store.Subscribe({AgentKey("default", "a")}, &one);
  EXPECT_EQ(store.watchers(), 2u);
  store.Put(Entry("a"));
  store.Put(Entry("b"));
  EXPECT_EQ(all.count, 2);
  EXPECT_EQ(one.count, 1);
  store.SetSynced();
  EXPECT_EQ(one.count, 2);
  store.Unsubscribe({}, &all);
  store.Unsubscribe({AgentKey("default", "a")}, &one);
  store.Put(Entry("a", 2));
  EXPECT_EQ(all.count, 3);
  EXPECT_EQ(one.count, 2);
  EXPECT_EQ(store.watchers(), 0u);
}

}  // namespace
}  // namespace krypton::manager
