#include "manager/platform/kubernetes/objects/pod_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/config/utf8.h"
#include "common/resource/key.h"
#include "manager/platform/kubernetes/objects/names.h"
#include "manager/platform/kubernetes/objects/testing.h"

namespace krypton::kube {
namespace {

using platform::ReplicaPhase;
using testing::HasSubstr;

boost::json::object Pod(const std::string& status, const std::string& metadata = "") {
  return FromJson(R"({"metadata": {"name": "echo-1", "namespace": "default", "uid": "u-1",
      "creationTimestamp": "2026-11-24T10:00:00Z", "annotations": {"krypton.ai/template": "t1"},
      "labels": {"krypton.ai/agent": "echo"})" +
                  metadata + R"(}, "status": )" + status + "}");
}

PodInfo Read(const std::string& status, const std::string& metadata = "") {
  return ReadPod(Pod(status, metadata)).value();
}

std::string Waiting(const std::string& reason, const std::string& message) {
  return R"({"phase": "Pending", "podIP": "10.1.2.3", "containerStatuses": [
      {"name": "agent", "image": "example.com/echo:1", "restartCount": 2,
       "lastState": {"terminated": {"exitCode": 3, "message": "no key\n"}},
       "state": {"waiting": {"reason": ")" +
         reason + R"(", "message": ")" + message + R"("}}}]})";
}

TEST(PodInfoTest, AReadyPodIsARunningReplicaAtItsOwnAddress) {
  const PodInfo pod = Read(
      R"({"podIP": "10.1.2.3", "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})");
  EXPECT_TRUE(pod.ready);
  const platform::Replica replica = ToReplica(pod, 4, true);
  EXPECT_EQ(replica.instance, "u-1");
  EXPECT_EQ(replica.ref, "echo-1");
  EXPECT_EQ(replica.address, "10.1.2.3:8889");
  EXPECT_EQ(replica.phase, ReplicaPhase::kRunning);
  EXPECT_EQ(replica.generation, 4);
  EXPECT_EQ(std::chrono::system_clock::to_time_t(replica.start_time), 1795514400);
  EXPECT_EQ(ToReplica(pod, 4, false).generation, 3);
}

// As the node controller leaves it when it has not heard of the node for a while.
TEST(PodInfoTest, APodWhoseNodeIsNotHeardOfIsServedUntilItsSidecarDoesNotAnswer) {
  const auto read = [](const std::string& ready, const std::string& containers) {
    return Read(R"({"podIP": "10.1.2.3", "phase": "Running", "conditions": [
        {"type": "Ready", "status": "False")" +
                ready + R"(}, {"type": "ContainersReady", "status": ")" + containers + R"("}]})");
  };
  PodInfo pod = read("", "True");
  EXPECT_FALSE(pod.ready);
  EXPECT_TRUE(pod.unheard);
  EXPECT_EQ(ToReplica(pod, 1, true).phase, ReplicaPhase::kRunning);
  pod.silent = true;
  EXPECT_EQ(ToReplica(pod, 1, true).phase, ReplicaPhase::kStarting);
  const PodInfo kubelets = read(R"(, "reason": "ContainersNotReady")", "False");
  EXPECT_FALSE(kubelets.unheard);
  EXPECT_EQ(ToReplica(kubelets, 1, true).phase, ReplicaPhase::kStarting);
  EXPECT_FALSE(read(R"(, "reason": "ReadinessGatesNotReady")", "True").unheard);
  EXPECT_FALSE(pod == kubelets);
}

TEST(PodInfoTest, AnAddressOfIPv6IsInBrackets) {
  const PodInfo pod = Read(R"({"podIP": "fd00::7"})");
  EXPECT_EQ(ToReplica(pod, 1, true).address, "[fd00::7]:8889");
}

TEST(PodInfoTest, AMarkToGoFirstIsKnownAgain) {
  boost::json::object pod = Pod("{}");
  const auto set_cost = [&](const char* cost) {
    pod["metadata"].as_object()["annotations"].as_object()[kDeletionCostAnnotation] = cost;
  };
  const PodInfo plain = *ReadPod(pod);
  EXPECT_FALSE(plain.marked);
  set_cost("5");
  EXPECT_FALSE(ReadPod(pod)->marked) << "somebody else's";
  set_cost(kIdleCost);
  EXPECT_TRUE(ReadPod(pod)->marked);
  EXPECT_FALSE(*ReadPod(pod) == plain);
}

TEST(PodInfoTest, APodOnItsWayOutDrainsWhateverElseItIs) {
  const PodInfo pod = Read(R"({"conditions": [{"type": "Ready", "status": "True"}]})",
                           R"(, "deletionTimestamp": "2026-11-24T11:00:00Z")");
  EXPECT_EQ(ToReplica(pod, 1, true).phase, ReplicaPhase::kDraining);
}

TEST(PodInfoTest, WhatIsWrongIsSaidInWords) {
  const PodInfo image = Read(Waiting("ImagePullBackOff", "not found"));
  EXPECT_EQ(image.trouble, "ImagePullFailed");
  EXPECT_EQ(image.message, "image example.com/echo:1 cannot be pulled: not found");
  EXPECT_EQ(ToReplica(image, 1, true).phase, ReplicaPhase::kFailed);
  const PodInfo crash = Read(Waiting("CrashLoopBackOff", "back-off 10s"));
  EXPECT_EQ(crash.trouble, "CrashLooping");
  EXPECT_EQ(crash.message, "the agent ends again and again: it exited with status 3: no key");
  EXPECT_EQ(crash.restarts, 2);
  const PodInfo config = Read(Waiting("CreateContainerConfigError", "secret x not found"));
  EXPECT_EQ(config.trouble, "StartFailed");
  EXPECT_THAT(config.message, HasSubstr("secret x not found"));
  const PodInfo starting = Read(Waiting("ContainerCreating", ""));
  EXPECT_EQ(starting.trouble, "");
  EXPECT_EQ(ToReplica(starting, 1, true).phase, ReplicaPhase::kStarting);
}

TEST(PodInfoTest, TheSidecarsTroubleCountsToo) {
  const PodInfo pod = Read(R"({"initContainerStatuses": [{"name": "krypton-proxy", "image": "p",
      "state": {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}}]})");
  EXPECT_EQ(pod.message, "image p cannot be pulled: no such host");
}

TEST(PodInfoTest, OutOfMemoryAndSignalsAreNamed) {
  const PodInfo pod = Read(R"({"containerStatuses": [{"name": "agent",
      "state": {"terminated": {"exitCode": 137, "signal": 9, "reason": "OOMKilled"}}}]})");
  EXPECT_EQ(pod.message, "the agent was ended by signal 9, out of memory");
}

// Else no gateway could read the registry's entry any more.
TEST(PodInfoTest, ALongMessageIsCutBetweenCharacters) {
  for (const char* before : {"", "a", "ab"}) {
    std::string words = before;
    for (int i = 0; i < 300; ++i) words += "\xe2\x82\xac";
    const std::string message = Read(Waiting("CreateContainerError", words)).message;
    EXPECT_LE(message.size(), 512);
    EXPECT_THAT(message, testing::EndsWith("\xe2\x82\xac..."));
    EXPECT_EQ(config::FindInvalidUtf8(message), std::string::npos) << message;
  }
}

TEST(PodInfoTest, APodThatNoNodeTakesMayOnlyTakeLonger) {
  const PodInfo pod = Read(R"({"phase": "Pending", "conditions": [{"type": "PodScheduled",
      "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: Insufficient cpu"}]})");
  EXPECT_EQ(pod.trouble, "Unschedulable");
  const platform::Replica replica = ToReplica(pod, 1, true);
  EXPECT_EQ(replica.phase, ReplicaPhase::kStarting);
  EXPECT_THAT(replica.message, HasSubstr("Insufficient cpu"));
}

TEST(PodInfoTest, AnEvictedPodHasFailed) {
  const PodInfo pod =
      Read(R"({"phase": "Failed", "reason": "Evicted", "message": "low on memory"})");
  EXPECT_EQ(ToReplica(pod, 1, true).phase, ReplicaPhase::kFailed);
  EXPECT_EQ(pod.message, "the pod is over: Evicted: low on memory");
}

TEST(PodInfoTest, OnlyPodsThatSayWhoseTheyAre) {
  EXPECT_FALSE(ReadPod(FromJson(R"({"metadata": {"name": "x"}})")).has_value());
  EXPECT_FALSE(ReadPod(FromJson(R"({"metadata": {"labels": {"krypton.ai/agent": "a",
      "krypton.ai/model": "a"}}})"))
                   .has_value());
  EXPECT_FALSE(ReadPod(FromJson("{}")).has_value());
}

TEST(PodInfoTest, AMessageIsBounded) {
  EXPECT_LE(Read(Waiting("ErrImagePull", std::string(10'000, 'x'))).message.size(), 512u);
}

}  // namespace
}  // namespace krypton::kube
