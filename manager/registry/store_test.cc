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
    leader_ = response.leader_address();
    if (response.last_chunk()) version_ = response.version();
    return true;
  }
  void Read() {
    while (ReadOne()) {
    }
  }
  void Reconnect() {
    cursor_ = store_.Resume(store_.epoch(), version_);
    in_snapshot_ = false;
  }
  bool expired() const { return cursor_.expired; }
  void Forget() { messages_ = entries_ = removals_ = 0; }

  std::map<std::string, int64_t> agents_;
  int messages_ = 0;
  int entries_ = 0;
  int removals_ = 0;
  int problems_ = -1;
  size_t largest_ = 0;
  uint64_t version_ = 0;
  std::string leader_;

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

// It would keep what was removed for ever.
TEST(RegistryStoreTest, AWatcherThatMissedAForgottenRemovalExpires) {
  RegistryStore store({.max_chunk_bytes = 2000, .max_tombstones = 10});
  for (int i = 0; i < 30; ++i) store.Put(Entry(absl::StrCat("agent-", i), 1, 500));
  Watcher behind(store);
  Watcher within_snapshot(store);
  Watcher before_snapshot(store);
  behind.Read();
  ASSERT_TRUE(within_snapshot.ReadOne());
  for (int i = 0; i < 10; ++i) store.Remove(AgentKey("default", absl::StrCat("agent-", i)));
  ASSERT_TRUE(behind.ReadOne());
  ASSERT_FALSE(behind.expired());
  for (int i = 10; i < 29; ++i) store.Remove(AgentKey("default", absl::StrCat("agent-", i)));

  for (Watcher* watcher : {&behind, &within_snapshot}) {
    EXPECT_FALSE(watcher->ReadOne());
    EXPECT_TRUE(watcher->expired());
    watcher->Reconnect();
  }
  for (Watcher* watcher : {&behind, &within_snapshot, &before_snapshot}) {
    watcher->Read();
    EXPECT_FALSE(watcher->expired());
    EXPECT_THAT(watcher->agents_, ElementsAre(testing::Pair("agent-29", 1)));
  }
}

TEST(RegistryStoreTest, AWatcherOfKeysThatAreThereMissesNothingOfOthers) {
  RegistryStore store({.max_tombstones = 10});
  store.Put(Entry("mine"));
  Watcher watcher(store, {AgentKey("default", "mine")});
  watcher.Read();
  for (int i = 0; i < 30; ++i) {
    store.Put(Entry(absl::StrCat("agent-", i)));
    store.Remove(AgentKey("default", absl::StrCat("agent-", i)));
  }
  store.Put(Entry("mine", 2));
  watcher.Forget();
  watcher.Read();
  EXPECT_FALSE(watcher.expired());
  EXPECT_EQ(watcher.entries_, 1);
  EXPECT_THAT(watcher.agents_, ElementsAre(testing::Pair("mine", 2)));
}

TEST(RegistryStoreTest, ASnapshotThatWaitedForItsStartMissesNothing) {
  RegistryStore store({.max_chunk_bytes = 2000, .max_tombstones = 10});
  for (int i = 0; i < 30; ++i) store.Put(Entry(absl::StrCat("agent-", i), 1, 500));
  Watcher watcher(store);
  for (int i = 0; i < 20; ++i) store.Remove(AgentKey("default", absl::StrCat("agent-", i)));
  watcher.Read();
  EXPECT_FALSE(watcher.expired());
  EXPECT_GT(watcher.messages_, 1);
  EXPECT_EQ(watcher.agents_.size(), 10u);
}

TEST(RegistryStoreTest, ANewLeaderIsToldAtOnce) {
  RegistryStore store;
  store.SetLeader("10.0.0.1:7070", 1);
  Watcher all(store);
  Watcher one(store, {AgentKey("default", "a")});
  for (Watcher* watcher : {&all, &one}) {
    watcher->Read();
    EXPECT_EQ(watcher->leader_, "10.0.0.1:7070");
    watcher->Forget();
  }
  store.SetLeader("10.0.0.1:7070", 1);
  EXPECT_FALSE(all.ReadOne());
  store.SetLeader("10.0.0.2:7070", 2);
  for (Watcher* watcher : {&all, &one}) {
    watcher->Read();
    EXPECT_EQ(watcher->leader_, "10.0.0.2:7070");
    EXPECT_EQ(watcher->messages_, 1);
  }
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

// Also where entries fill a message nearly, in a snapshot and in what changed since.
TEST(RegistryStoreTest, ProblemsKeepMessagesWithinTheirBound) {
  RegistryStore store;
  Watcher follower(store);
  follower.Read();
  store.Put(Entry("first"));
  v1::ManifestProblem problem;
  problem.set_file(std::string(300, 'd'));
  problem.set_reason("wrong");
  store.SetProblems(std::vector<v1::ManifestProblem>(3000, problem));
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
