#include "gateway/route_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/resource/key.h"
#include "gateway/queue_reports.h"

namespace krypton::gateway {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

v1::RegistryEntry AgentEntry(const std::string& name, const std::string& address = "") {
  v1::RegistryEntry entry;
  *entry.mutable_key() = resource::AgentKey("default", name);
  entry.mutable_agent()->mutable_metadata()->set_namespace_("default");
  entry.mutable_agent()->mutable_metadata()->set_name(name);
  if (address.empty()) return entry;
  v1::Endpoint& endpoint = *entry.add_endpoints();
  endpoint.set_instance(address);
  endpoint.set_address(address);
  endpoint.set_state(v1::ENDPOINT_STATE_READY);
  endpoint.set_concurrency(1);
  return entry;
}

v1::RegistryEntry ModelEntry(const std::string& name_space, const std::string& name,
                             int64_t created) {
  v1::RegistryEntry entry;
  *entry.mutable_key() = resource::ModelKey(name_space, name);
  v1::ObjectMeta& metadata = *entry.mutable_model()->mutable_metadata();
  metadata.set_namespace_(name_space);
  metadata.set_name(name);
  metadata.mutable_creation_timestamp()->set_seconds(created);
  return entry;
}

class RouteTableTest : public testing::Test {
 protected:
  void Apply(std::vector<v1::RegistryEntry> entries, std::vector<v1::ResourceKey> removed = {}) {
    registry::Change change;
    for (v1::RegistryEntry& entry : entries) {
      change.entries.push_back(std::make_shared<const v1::RegistryEntry>(std::move(entry)));
    }
    change.removed = std::move(removed);
    change.version = ++version_;
    routes_.Apply(change);
  }
  std::vector<std::string> AgentNames() {
    std::vector<std::string> names;
    const auto all = routes_.List();
    for (const DispatcherPtr& agent : *all) {
      if (agent->key().kind() == v1::RESOURCE_KIND_AGENT) names.push_back(agent->key().name());
    }
    return names;
  }

  metrics::Registry registry_{"gateway"};
  GatewayMetrics metrics_{registry_};
  QueueReports reports_;
  std::vector<std::string> forgotten_;
  RouteTable routes_{
      {},
      metrics_,
      [this](const DispatcherPtr& changed, bool urgent) { reports_.Note(changed, urgent); },
      [this](const http::Endpoint& gone) { forgotten_.emplace_back(gone.address()); }};
  uint64_t version_ = 0;
};

TEST_F(RouteTableTest, FollowsTheRegistry) {
  EXPECT_FALSE(routes_.synced());
  Apply({AgentEntry("b"), AgentEntry("a")});
  EXPECT_TRUE(routes_.synced());
  EXPECT_THAT(AgentNames(), ElementsAre("a", "b"));
  EXPECT_NE(routes_.FindAgent("default/a"), nullptr);
  EXPECT_EQ(routes_.FindAgent("default/c"), nullptr);
  Apply({}, {resource::AgentKey("default", "a")});
  EXPECT_THAT(AgentNames(), ElementsAre("b"));
  EXPECT_EQ(routes_.registry_version(), 2u);
}

TEST_F(RouteTableTest, AnAgentKeepsItsDispatcherAcrossChanges) {
  Apply({AgentEntry("a", "127.0.0.1:4000")});
  const DispatcherPtr before = routes_.FindAgent("default/a");
  Apply({AgentEntry("a", "127.0.0.1:4001")});
  EXPECT_EQ(routes_.FindAgent("default/a"), before);
  EXPECT_THAT(forgotten_, ElementsAre("127.0.0.1:4000"));
  Apply({AgentEntry("a")}, {resource::AgentKey("default", "a")});  // Deleted and made again.
  EXPECT_NE(routes_.FindAgent("default/a"), before);
  EXPECT_THAT(forgotten_, ElementsAre("127.0.0.1:4000", "127.0.0.1:4001"));
}

TEST_F(RouteTableTest, ModelsHaveDispatchersToo) {
  Apply({ModelEntry("default", "llama", 100), AgentEntry("a")});
  const ModelRoutePtr model = routes_.models().Find("llama");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(routes_.FindAgent("default/llama"), nullptr);
  EXPECT_THAT(*routes_.List(), SizeIs(2));
  Apply({ModelEntry("default", "llama", 100)});
  EXPECT_EQ(routes_.models().Find("llama")->dispatcher, model->dispatcher);
  Apply({}, {resource::ModelKey("default", "llama")});
  EXPECT_EQ(routes_.models().Find("llama"), nullptr);
  EXPECT_THAT(*routes_.List(), SizeIs(1));
}

TEST_F(RouteTableTest, TheListIsMadeAnewOnlyAfterOneCameOrWent) {
  Apply({AgentEntry("a", "127.0.0.1:4000"), ModelEntry("default", "llama", 100)});
  const auto before = routes_.List();
  Apply({AgentEntry("a", "127.0.0.1:4001"), ModelEntry("default", "llama", 100)});
  EXPECT_EQ(routes_.List(), before);
  Apply({AgentEntry("b")});
  EXPECT_THAT(*routes_.List(), SizeIs(3));
  Apply({}, {resource::AgentKey("default", "a")});
  EXPECT_THAT(*routes_.List(), SizeIs(2));
  EXPECT_THAT(*before, SizeIs(2));  // Whoever reads it goes on undisturbed.
}

TEST_F(RouteTableTest, OfAnAgentAndAModelWithOneNameOnlyTheOneThatRunsIsThere) {
  const auto refuse = [](auto* status) {
    v1::Condition* condition = status->add_conditions();
    condition->set_type("NameConflict");
    condition->set_status(v1::CONDITION_STATUS_TRUE);
  };
  v1::RegistryEntry model = ModelEntry("default", "twin", 2);
  v1::RegistryEntry agent = AgentEntry("twin");
  auto* model_status = model.mutable_model()->mutable_status();
  auto* agent_status = agent.mutable_agent()->mutable_status();
  Apply({AgentEntry("twin")});
  refuse(model_status);
  Apply({model});
  EXPECT_EQ(routes_.models().Find("twin"), nullptr);
  EXPECT_NE(routes_.FindAgent("default/twin"), nullptr);
  // They change places, the one that comes before the one that goes.
  refuse(agent_status);
  model_status->clear_conditions();
  Apply({model, agent});
  EXPECT_NE(routes_.models().Find("twin"), nullptr);
  EXPECT_EQ(routes_.FindAgent("default/twin"), nullptr);
}

TEST_F(RouteTableTest, ReportsCarryWhatWaitsAndNothingElse) {
  Apply({AgentEntry("idle"), AgentEntry("asked")});
  reports_.Collect(load::Scope::kEverything);
  const DispatcherPtr asked = routes_.FindAgent("default/asked");
  Ticket ticket(asked);
  ASSERT_EQ(asked->Enter(
                ticket, [] {}, http::Clock::now()),
            Place::kQueued);

  v1::ReportRequest report = reports_.Collect(load::Scope::kChanges);
  ASSERT_EQ(report.queues_size(), 1);
  EXPECT_EQ(report.queues(0).key().name(), "asked");
  EXPECT_EQ(report.queues(0).waiting(), 1);
  // It still waits: said again, since its mean goes on; and to a new stream.
  EXPECT_EQ(reports_.Collect(load::Scope::kChanges).queues_size(), 1);
  EXPECT_EQ(reports_.Collect(load::Scope::kEverything).queues_size(), 1);

  Apply({AgentEntry("asked", "127.0.0.1:4000")});  // Granted: it does not wait any more.
  report = reports_.Collect(load::Scope::kChanges);
  ASSERT_EQ(report.queues_size(), 1);
  EXPECT_EQ(report.queues(0).waiting(), 0);
  EXPECT_EQ(report.queues(0).in_flight(), 1);
  EXPECT_EQ(reports_.Collect(load::Scope::kChanges).queues_size(), 0);
  EXPECT_EQ(reports_.Collect(load::Scope::kEverything).queues_size(), 1);
  asked->Leave(ticket, /*answered=*/true, http::Clock::now());
  EXPECT_EQ(reports_.Collect(load::Scope::kChanges).queues_size(), 1);
  EXPECT_EQ(reports_.Collect(load::Scope::kEverything).queues_size(), 0);
}

}  // namespace
}  // namespace krypton::gateway
