#include "controlplane/watch_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/testing.h"

namespace krypton::controlplane {
namespace {

using testing::Added;
using testing::AgentEntry;
using ::testing::ElementsAre;
using testing::ModelEntry;
using testing::Removed;

const WatchFilter kAllAgents{v1::RESOURCE_KIND_AGENT, "", ""};

// `+a ~a -a` for added, modified, deleted; `=` for synced.
std::vector<std::string> Drain(WatchQueue& queue) {
  std::vector<std::string> events;
  while (std::optional<WatchEvent> event = queue.Next()) {
    const char* marks[] = {"?", "+", "~", "-", "="};
    events.push_back(marks[event->type] +
                     (event->entry == nullptr ? "" : event->entry->key().name()));
  }
  return events;
}

TEST(WatchQueueTest, WhatIsThereComesFirstThenSyncedThenChanges) {
  WatchQueue queue(kAllAgents, {AgentEntry("n", "a"), AgentEntry("n", "b")});
  EXPECT_THAT(Drain(queue), ElementsAre("+a", "+b", "="));
  queue.Apply(Added({AgentEntry("n", "c"), AgentEntry("n", "a", 1)}));
  queue.Apply(Removed(resource::AgentKey("n", "b")));
  EXPECT_THAT(Drain(queue), ElementsAre("+c", "~a", "-b"));
}

TEST(WatchQueueTest, NothingIsThereIsSyncedAtOnce) {
  WatchQueue queue(kAllAgents, {});
  EXPECT_THAT(Drain(queue), ElementsAre("="));
}

TEST(WatchQueueTest, ASlowReaderHearsOfEachResourceOnce) {
  WatchQueue queue(kAllAgents, {});
  Drain(queue);
  for (int i = 0; i < 10000; ++i) {
    queue.Apply(Added({AgentEntry("n", "a" + std::to_string(i % 10), i)}));
  }
  EXPECT_EQ(queue.size(), 10u);
  const std::optional<WatchEvent> event = queue.Next();
  EXPECT_EQ(event->type, v1::CHANGE_TYPE_ADDED);
  EXPECT_EQ(event->entry->agent().status().replicas(), 9990) << "the latest";
}

TEST(WatchQueueTest, WhatCameAndWentUnseenIsNotMentioned) {
  WatchQueue queue(kAllAgents, {});
  Drain(queue);
  queue.Apply(Added({AgentEntry("n", "a")}));
  queue.Apply(Removed(resource::AgentKey("n", "a")));
  EXPECT_THAT(Drain(queue), ElementsAre());
}

TEST(WatchQueueTest, WhatIsTheSameAsBeforeIsNotMentioned) {
  WatchQueue queue(kAllAgents, {AgentEntry("n", "a")});
  Drain(queue);
  registry::Change snapshot = Added({AgentEntry("n", "a")});
  snapshot.full = true;
  queue.Apply(snapshot);
  EXPECT_THAT(Drain(queue), ElementsAre());
}

TEST(WatchQueueTest, ADeletedResourceComesAsItWasLast) {
  WatchQueue queue(kAllAgents, {AgentEntry("n", "a", 7)});
  Drain(queue);
  queue.Apply(Removed(resource::AgentKey("n", "a")));
  EXPECT_EQ(queue.Next()->entry->agent().status().replicas(), 7);
}

TEST(WatchQueueTest, OthersAreNotMentioned) {
  WatchQueue queue(
      {v1::RESOURCE_KIND_AGENT, "n", "a"},
      {AgentEntry("n", "a"), AgentEntry("n", "b"), AgentEntry("m", "a"), ModelEntry("n", "a")});
  EXPECT_THAT(Drain(queue), ElementsAre("+a", "="));
}

}  // namespace
}  // namespace krypton::controlplane
