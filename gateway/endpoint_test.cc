#include "gateway/endpoint.h"

#include <gtest/gtest.h>

#include <set>

namespace krypton::gateway {
namespace {

using std::chrono::milliseconds;

const TimePoint kNow = TimePoint{} + std::chrono::hours(1);

EndpointPtr Make(std::string instance, int in_flight, int concurrency = 4) {
  auto endpoint =
      std::make_shared<Endpoint>(std::move(instance), *http::Endpoint::Parse("127.0.0.1:1"));
  endpoint->load.ready = true;
  endpoint->load.in_flight = in_flight;
  endpoint->load.concurrency = concurrency;
  return endpoint;
}

std::string Chosen(const std::vector<EndpointPtr>& endpoints, Wish wish = {}, uint32_t random = 7) {
  const EndpointPtr chosen = ChooseEndpoint(endpoints, wish, /*max_streams=*/2, kNow, random);
  return chosen == nullptr ? "" : chosen->instance;
}

TEST(ChooseEndpointTest, TakesTheOneWithTheFewestInFlight) {
  EXPECT_EQ(Chosen({Make("a", 3), Make("b", 1), Make("c", 2)}), "b");
}

TEST(ChooseEndpointTest, NeverGoesAboveTheConcurrency) {
  EXPECT_EQ(Chosen({Make("a", 1, 1), Make("b", 3, 4)}), "b");
  EXPECT_EQ(Chosen({Make("a", 1, 1), Make("b", 4, 4)}), "");
  EXPECT_EQ(Chosen({}), "");
}

TEST(ChooseEndpointTest, AmongEqualsEachHasItsTurn) {
  const std::vector<EndpointPtr> equals = {Make("a", 1), Make("b", 1), Make("c", 1)};
  std::set<std::string> seen;
  for (uint32_t random = 0; random < 64; ++random) seen.insert(Chosen(equals, {}, random * 977));
  EXPECT_EQ(seen.size(), 3u);
}

TEST(ChooseEndpointTest, LeavesOutWhatDoesNotServe) {
  auto starting = Make("starting", 0);
  starting->load.ready = false;
  auto leaving = Make("leaving", 0);
  leaving->load.leaving = true;
  auto refused = Make("refused", 0);
  refused->load.avoid_until = kNow + milliseconds(1);
  EXPECT_EQ(Chosen({starting, leaving, refused}), "");
  EXPECT_EQ(Chosen({starting, leaving, refused, Make("busy", 3)}), "busy");
  refused->load.avoid_until = kNow;
  EXPECT_EQ(Chosen({starting, leaving, refused}), "refused");
}

TEST(ChooseEndpointTest, ASessionWaitsForItsReplicaButNotForOneThatIsGone) {
  const auto mine = Make("mine", 4, 4);
  const std::vector<EndpointPtr> endpoints = {mine, Make("other", 0)};
  EXPECT_EQ(Chosen(endpoints, {.pinned = "mine"}), "");
  mine->load.in_flight = 3;
  EXPECT_EQ(Chosen(endpoints, {.pinned = "mine"}), "mine");
  mine->load.leaving = true;
  EXPECT_EQ(Chosen(endpoints, {.pinned = "mine"}), "other");
  EXPECT_EQ(Chosen(endpoints, {.pinned = "never seen"}), "other");
}

TEST(ChooseEndpointTest, AStreamNeedsRoomForStreams) {
  const auto full = Make("full", 0);
  full->load.streams = 2;
  EXPECT_EQ(Chosen({full, Make("other", 3)}, {.stream = true}), "other");
  EXPECT_EQ(Chosen({full}, {.stream = true}), "");
  EXPECT_EQ(Chosen({full}), "full");
}

TEST(ChooseEndpointTest, WhatFailedIsAvoidedWhileAnotherServes) {
  const auto failed = Make("failed", 0);
  const auto other = Make("other", 3);
  EXPECT_EQ(Chosen({failed, other}, {.avoid = failed.get()}), "other");
  other->load.in_flight = 4;
  EXPECT_EQ(Chosen({failed, other}, {.avoid = failed.get()}), "");
  other->load.ready = false;
  EXPECT_EQ(Chosen({failed, other}, {.avoid = failed.get()}), "failed");
}

TEST(MergeEndpointsTest, KeepsWhatItKnowsAndTakesOverWhatChanged) {
  google::protobuf::RepeatedPtrField<v1::Endpoint> said;
  v1::Endpoint& a = *said.Add();
  a.set_instance("a");
  a.set_address("127.0.0.1:4000");
  a.set_state(v1::ENDPOINT_STATE_STARTING);
  a.set_concurrency(8);
  said.Add()->set_instance("without address");
  const auto first = MergeEndpoints({}, said);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_FALSE(first[0]->load.Serves());
  first[0]->load.in_flight = 5;

  a.set_state(v1::ENDPOINT_STATE_READY);
  a.set_concurrency(2);
  const auto second = MergeEndpoints(first, said);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0], first[0]);
  EXPECT_TRUE(second[0]->load.Serves());
  EXPECT_EQ(second[0]->load.concurrency, 2);
  EXPECT_EQ(second[0]->load.in_flight, 5);

  a.set_address("127.0.0.1:4001");
  EXPECT_NE(MergeEndpoints(second, said)[0], first[0]);
}

}  // namespace
}  // namespace krypton::gateway
