#include "gateway/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "common/resource/key.h"

namespace krypton::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class MetricsTest : public testing::Test {
 protected:
  // The values of krypton_invocations_total of one agent, by status.
  std::map<std::string, double> Invocations(const std::string& agent) {
    std::map<std::string, double> values;
    for (const auto& family : registry_.Collect()) {
      if (family.name != "krypton_invocations_total") continue;
      for (const auto& metric : family.metric) {
        std::map<std::string, std::string> labels;
        for (const auto& label : metric.label) labels[label.name] = label.value;
        if (labels["agent"] == agent) values[labels["status"]] = metric.counter.value;
      }
    }
    return values;
  }
  size_t SeriesOf(const std::string& agent) {
    size_t series = 0;
    for (const auto& family : registry_.Collect()) {
      for (const auto& metric : family.metric) {
        for (const auto& label : metric.label) {
          series += label.name == "agent" && label.value == agent ? 1 : 0;
        }
      }
    }
    return series;
  }

  metrics::Registry registry_{"gateway"};
  GatewayMetrics metrics_{registry_};
};

TEST_F(MetricsTest, KnownSeriesStartAtZero) {
  const auto echo = metrics_.For(resource::AgentKey("default", "echo"));
  EXPECT_THAT(Invocations("echo"), ElementsAre(Pair("200", 0)));
  EXPECT_THAT(Invocations(kUnknownLabel), ElementsAre(Pair("404", 0)));
}

TEST_F(MetricsTest, CountsByStatusWhateverTheirNumber) {
  const auto echo = metrics_.For(resource::AgentKey("default", "echo"));
  for (int round = 0; round < 2; ++round) {
    for (int status = 400; status < 430; ++status) echo->CountInvocation(status);
  }
  const auto values = Invocations("echo");
  EXPECT_EQ(values.size(), 31u);
  EXPECT_EQ(values.at("400"), 2);
  EXPECT_EQ(values.at("429"), 2);
}

TEST_F(MetricsTest, ErrorsOfTheMeshCountByTheirCode) {
  const auto echo = metrics_.For(resource::AgentKey("default", "echo"));
  echo->CountError(http::ErrorCode::kQueueFull);
  echo->CountError(http::ErrorCode::kAgentUnreachable);
  echo->CountError(http::ErrorCode::kBodyTooLarge);
  const std::string exposed = registry_.Expose(metrics::Format::kText);
  for (const auto& [reason, count] :
       {std::pair("queue_full", 1), std::pair("start_timeout", 0), std::pair("agent_timeout", 0),
        std::pair("agent_unreachable", 1), std::pair("other", 1)}) {
    EXPECT_NE(
        exposed.find("krypton_gateway_errors_total{agent=\"echo\",namespace=\"default\",reason=\"" +
                     std::string(reason) + "\"} " + std::to_string(count) + "\n"),
        std::string::npos)
        << reason;
  }
}

TEST_F(MetricsTest, ADeletedAgentTakesItsSeriesAlongForGood) {
  const auto echo = metrics_.For(resource::AgentKey("default", "echo"));
  echo->CountInvocation(200);
  echo->Retire();
  echo->CountInvocation(200);  // Requests that were in flight.
  echo->CountInvocation(499);
  echo->ObserveDuration(1);
  EXPECT_EQ(SeriesOf("echo"), 0u);

  const auto again = metrics_.For(resource::AgentKey("default", "echo"));
  EXPECT_THAT(Invocations("echo"), ElementsAre(Pair("200", 0)));
}

}  // namespace
}  // namespace krypton::gateway
