#include "proxy/load_report.h"

#include <gtest/gtest.h>

#include <chrono>

namespace krypton::proxy {
namespace {

using load::Scope;
using std::chrono::seconds;

class LoadReportTest : public testing::Test {
 protected:
  LoadReportTest() : limiter_({.concurrency = 4, .max_streams = 4}, [this] { return now_; }) {
    LoadReport::Identity identity{.key = {}, .instance = "echo-1", .port = 8889};
    identity.key.set_namespace_("default");
    identity.key.set_name("echo");
    report_.emplace(identity, limiter_, replica_);
  }

  // Empty when there is nothing to say.
  std::optional<v1::ReplicaLoad> Ask(Scope scope = Scope::kChanges) {
    const v1::ReportRequest report = report_->Collect(scope);
    if (report.replicas().empty()) return std::nullopt;
    return report.replicas(0);
  }

  std::chrono::steady_clock::time_point now_;
  Limiter limiter_;
  Replica replica_;
  std::optional<LoadReport> report_;
};

TEST_F(LoadReportTest, TheFirstSaysWhoAndHowMuch) {
  const auto load = Ask(Scope::kEverything);
  ASSERT_TRUE(load);
  EXPECT_EQ(load->key().name(), "echo");
  EXPECT_EQ(load->instance(), "echo-1");
  EXPECT_EQ(load->port(), 8889);
  EXPECT_EQ(load->concurrency(), 4);
  EXPECT_EQ(load->state(), v1::ENDPOINT_STATE_STARTING);
  EXPECT_FALSE(load->has_last_activity());
}

TEST_F(LoadReportTest, NothingNewIsNotSaidButForAHeartbeat) {
  Ask(Scope::kEverything);
  now_ += seconds(1);
  EXPECT_FALSE(Ask());
  now_ += seconds(9);
  const auto beat = Ask(Scope::kHeartbeat);
  ASSERT_TRUE(beat);
  EXPECT_EQ(beat->window().seconds(), 10);
}

TEST_F(LoadReportTest, AChangeOfStateIsNews) {
  Ask(Scope::kEverything);
  replica_.SetReady(true);
  EXPECT_EQ(Ask()->state(), v1::ENDPOINT_STATE_READY);
  replica_.StartDraining();
  EXPECT_EQ(Ask()->state(), v1::ENDPOINT_STATE_DRAINING);
  replica_.SetReady(false);
  EXPECT_FALSE(Ask()) << "what drains stays so";
}

TEST_F(LoadReportTest, AMeanThatIsNotTheNumberYetIsFollowedByOneThatIs) {
  Ask(Scope::kEverything);
  now_ += seconds(1);
  const Limiter::Slot slot = limiter_.TryAcquire().first;
  now_ += seconds(1);
  EXPECT_DOUBLE_EQ(Ask()->in_flight(), 0.5);
  now_ += seconds(1);
  EXPECT_DOUBLE_EQ(Ask()->in_flight(), 1.0);
  now_ += seconds(1);
  EXPECT_FALSE(Ask());
}

TEST_F(LoadReportTest, BytesOnAStreamAreNews) {
  Limiter::Slot stream = limiter_.TryAcquire().first;
  stream.BecomeStream();
  replica_.Touch();
  Ask(Scope::kEverything);
  EXPECT_FALSE(Ask());
  const Replica::Time later = std::chrono::system_clock::now() + seconds(5);
  replica_.Touch(later);
  const auto load = Ask();
  ASSERT_TRUE(load);
  EXPECT_EQ(load->streams(), 1);
  EXPECT_EQ(load->last_activity().seconds(),
            std::chrono::duration_cast<seconds>(later.time_since_epoch()).count());
}

}  // namespace
}  // namespace krypton::proxy
