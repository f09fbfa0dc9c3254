// Of an agent and a model with one name one is scaled, and has the series that go by it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <memory>
#include <string>
#include <vector>

#include "manager/scaler/scaler.h"
#include "manager/testing/fake_clock.h"
#include "manager/testing/resources.h"

namespace krypton::scaler {
namespace {

using testing::HasSubstr;
using testing::Not;

class NameConflictTest : public testing::Test {
 protected:
  static std::shared_ptr<v1::RegistryEntry> Twin(v1::ResourceKind kind, bool conflict) {
    auto entry = std::make_shared<v1::RegistryEntry>();
    const bool model = kind == v1::RESOURCE_KIND_MODEL;
    (model ? manager::MakeModel("twin") : manager::MakeResource("twin", {.serverless = true}))
        ->FillEntry(entry.get());
    if (!conflict) return entry;
    v1::Condition* condition = model ? entry->mutable_model()->mutable_status()->add_conditions()
                                     : entry->mutable_agent()->mutable_status()->add_conditions();
    condition->set_type("NameConflict");
    condition->set_status(v1::CONDITION_STATUS_TRUE);
    return entry;
  }
  void Change(std::vector<registry::EntryPtr> entries, std::vector<v1::ResourceKey> removed = {}) {
    registry::Change change;
    change.entries = std::move(entries);
    change.removed = std::move(removed);
    scaler_.OnRegistryChange(change);
    scaler_.Tick();
  }
  std::string Metrics() const { return prometheus::TextSerializer().Serialize(metrics_.Collect()); }

  manager::FakeClock clock_;
  prometheus::Registry metrics_;
  std::vector<v1::ScalingDecision> decisions_;
  Scaler scaler_{{.term = 3}, clock_.clock(), metrics_, [this](v1::ScalingDecision decision) {
                   decisions_.push_back(std::move(decision));
                 }};
};

TEST_F(NameConflictTest, TheOneThatDoesNotRunIsNotScaled) {
  Change({Twin(v1::RESOURCE_KIND_AGENT, true)});
  scaler_.OnLoad(manager::Gateway("g1"), manager::QueueReport("twin", 1), false);
  EXPECT_TRUE(decisions_.empty());
  EXPECT_THAT(Metrics(), Not(HasSubstr("twin")));
}

// A series must never be of two owners: it ends with the first of them.
TEST_F(NameConflictTest, ANameThatPassesFromOneToTheOtherTakesItsSeriesAlong) {
  Change({Twin(v1::RESOURCE_KIND_AGENT, false), Twin(v1::RESOURCE_KIND_MODEL, true)});
  EXPECT_THAT(Metrics(), HasSubstr("twin"));
  // In one change, and the model before the agent that makes room.
  Change({Twin(v1::RESOURCE_KIND_MODEL, false), Twin(v1::RESOURCE_KIND_AGENT, true)});
  EXPECT_THAT(Metrics(), HasSubstr("twin"));
  Change({}, {resource::ModelKey("default", "twin")});
  EXPECT_THAT(Metrics(), Not(HasSubstr("twin")));
}

}  // namespace
}  // namespace krypton::scaler
