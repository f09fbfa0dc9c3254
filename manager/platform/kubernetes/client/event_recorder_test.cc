#include "manager/platform/kubernetes/client/event_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/client/json.h"
#include "manager/platform/kubernetes/client/testing/fake_api_server.h"

namespace krypton::kube {
namespace {

using namespace std::chrono_literals;

class EventRecorderTest : public testing::Test {
 protected:
  EventRecorderTest() {
    client_settings_.qps = client_settings_.burst = 10'000;
    settings_.instance = "krypton-manager-0";
  }
  void Start() {
    client_ = std::make_unique<Client>(server_.config(), client_settings_, metrics_);
    recorder_ = std::make_unique<EventRecorder>(*client_, settings_, metrics_);
    recorder_->Start();
  }
  void Emit(const std::string& name, const std::string& note) {
    recorder_->Emit({"krypton.ai/v1alpha1", "Agent", "default", name, "uid-" + name},
                    EventType::kWarning, "ImagePullFailed", "Start", note);
  }
  std::vector<FakeRequest> Of(const std::string& method) const {
    std::vector<FakeRequest> found;
    for (const FakeRequest& request : server_.requests()) {
      if (request.method == method) found.push_back(request);
    }
    return found;
  }
  double Dropped(const std::string& reason) {
    for (const auto& family : metrics_.Collect()) {
      if (family.name != "krypton_events_dropped_total") continue;
      for (const auto& metric : family.metric) {
        if (metric.label[0].value == reason) return metric.counter.value;
      }
    }
    return -1;
  }

  FakeApiServer server_{[](const FakeRequest& request) { return FakeReply{.body = request.body}; }};
  ClientSettings client_settings_;
  EventRecorderSettings settings_;
  prometheus::Registry metrics_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<EventRecorder> recorder_;
};

TEST_F(EventRecorderTest, SaysAllThatAnEventNeeds) {
  Start();
  Emit("echo", std::string(1023, 'x') + "ä and more");
  ASSERT_TRUE(WaitFor([&] { return Of("POST").size() == 1; }));
  const FakeRequest request = Of("POST")[0];
  EXPECT_EQ(request.path, "/apis/events.k8s.io/v1/namespaces/default/events");
  const boost::json::value value = *ParseJson(request.body);
  const boost::json::object& event = value.get_object();
  EXPECT_EQ(StringAt(event, "reason"), "ImagePullFailed");
  EXPECT_EQ(StringAt(event, "action"), "Start");
  EXPECT_EQ(StringAt(event, "type"), "Warning");
  EXPECT_EQ(StringAt(event, "note"), std::string(1023, 'x'));
  EXPECT_EQ(StringAt(event, "reportingController"), "krypton.ai/manager");
  EXPECT_EQ(StringAt(event, "reportingInstance"), "krypton-manager-0");
  EXPECT_FALSE(StringAt(event, "eventTime").empty());
  EXPECT_EQ(StringAt(*ObjectAt(event, "regarding"), "uid"), "uid-echo");
}

TEST_F(EventRecorderTest, AThousandTimesTheSameIsOneSeries) {
  settings_.series_interval = 50ms;
  Start();
  for (int i = 0; i < 1000; ++i) Emit("echo", "no such image");
  recorder_->Stop(5s);
  ASSERT_EQ(Of("POST").size(), 1u);
  ASSERT_GE(Of("PATCH").size(), 1u);
  EXPECT_LE(Of("PATCH").size(), 3u);
  const boost::json::value last = *ParseJson(Of("PATCH").back().body);
  EXPECT_EQ(IntAt(*ObjectAt(last.get_object(), "series"), "count"), 1000);
}

TEST_F(EventRecorderTest, AThousandDifferentOnesAreBounded) {
  Start();
  for (int i = 0; i < 1000; ++i) Emit("echo", "try " + std::to_string(i));
  Emit("other", "hello");
  recorder_->Stop(5s);
  EXPECT_EQ(Of("POST").size(), 26u);
  EXPECT_EQ(Dropped("budget"), 975);
}

TEST_F(EventRecorderTest, WhatTheGateRefusesIsDropped) {
  client_settings_.write_gate = [] { return absl::FailedPreconditionError("not the leader"); };
  Start();
  Emit("echo", "hello");
  ASSERT_TRUE(WaitFor([&] { return Dropped("failed") == 1; }));
  EXPECT_TRUE(Of("POST").empty());
}

}  // namespace
}  // namespace krypton::kube
