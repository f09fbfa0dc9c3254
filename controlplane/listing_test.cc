#include "controlplane/listing.h"

#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <gtest/gtest.h>

#include "common/rpc/status.h"
#include "controlplane/testing.h"

namespace krypton::controlplane {
namespace {

using testing::Added;
using testing::AgentEntry;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ModelEntry;

class ListingTest : public ::testing::Test {
 protected:
  void Add(const registry::EntryPtr& entry) { catalog_.Apply(Added({entry})); }

  // An agent that `change` has changed.
  template <typename ChangeAgent>
  void AddAgent(const std::string& name_space, const std::string& name, ChangeAgent change) {
    auto entry = std::make_shared<v1::RegistryEntry>(*AgentEntry(name_space, name));
    change(*entry->mutable_agent());
    Add(entry);
  }

  std::vector<std::string> Names(const v1::ListAgentsRequest& request) {
    const auto list = ListAgents(request, catalog_.Agents());
    EXPECT_TRUE(list.ok()) << list.status();
    std::vector<std::string> names;
    for (const v1::Agent& agent : list->items()) {
      names.push_back(agent.metadata().namespace_() + "/" + agent.metadata().name());
    }
    return names;
  }

  // The field that the refusal names.
  std::string RefusedField(const v1::ListAgentsRequest& request) {
    const absl::Status status = ListAgents(request, catalog_.Agents()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    google::rpc::BadRequest bad;
    EXPECT_TRUE(rpc::GetDetail(status, bad));
    return bad.field_violations_size() == 1 ? bad.field_violations(0).field() : "";
  }

  Catalog catalog_;
};

TEST_F(ListingTest, TwentyAPageAndAtMostAHundred) {
  for (int i = 0; i < 130; ++i) Add(AgentEntry("default", "a" + std::to_string(1000 + i)));
  v1::ListAgentsRequest request;
  auto list = ListAgents(request, catalog_.Agents());
  EXPECT_EQ(list->items_size(), 20);
  EXPECT_EQ(list->page(), 1);
  EXPECT_EQ(list->page_size(), 20);
  EXPECT_EQ(list->total(), 130);
  request.set_page_size(1000);
  request.set_page(2);
  list = ListAgents(request, catalog_.Agents());
  EXPECT_EQ(list->page_size(), 100);
  EXPECT_EQ(list->items_size(), 30);
  EXPECT_EQ(list->items(0).metadata().name(), "a1100");
  request.set_page(std::numeric_limits<int>::max());
  EXPECT_EQ(ListAgents(request, catalog_.Agents())->items_size(), 0);
}

TEST_F(ListingTest, SortsByEachKeyBothWays) {
  AddAgent("b", "x", [](v1::Agent& a) {
    a.mutable_status()->set_replicas(3);
    a.mutable_status()->set_phase(v1::AGENT_PHASE_PENDING);
    a.mutable_status()->mutable_last_invocation_at()->set_seconds(5);
    a.mutable_metadata()->mutable_creation_timestamp()->set_seconds(2);
  });
  AddAgent("a", "y", [](v1::Agent& a) {
    a.mutable_status()->set_replicas(1);
    a.mutable_status()->set_phase(v1::AGENT_PHASE_READY);
    a.mutable_metadata()->mutable_creation_timestamp()->set_seconds(1);
  });
  const std::map<std::string, std::vector<std::string>> orders = {
      {"", {"b/x", "a/y"}},
      {"name", {"b/x", "a/y"}},
      {"namespace", {"a/y", "b/x"}},
      {"created", {"a/y", "b/x"}},
      {"phase", {"b/x", "a/y"}},
      {"replicas", {"a/y", "b/x"}},
      {"last_invocation", {"a/y", "b/x"}}};
  for (auto [sort, expected] : orders) {
    v1::ListAgentsRequest request;
    request.set_sort(sort);
    EXPECT_EQ(Names(request), expected) << sort;
    request.set_order("desc");
    std::reverse(expected.begin(), expected.end());
    EXPECT_EQ(Names(request), expected) << sort << " desc";
  }
}

TEST_F(ListingTest, FiltersNarrow) {
  Add(AgentEntry("a", "one"));
  AddAgent("a", "two", [](v1::Agent& a) {
    a.mutable_spec()->set_protocol(v1::AGENT_PROTOCOL_MCP);
    a.mutable_spec()->set_framework("LangGraph");
  });
  Add(AgentEntry("b", "three"));
  v1::ListAgentsRequest request;
  request.set_namespace_("a");
  EXPECT_THAT(Names(request), ElementsAre("a/one", "a/two"));
  request.set_protocol("mcp");
  EXPECT_THAT(Names(request), ElementsAre("a/two"));
  request.Clear();
  request.set_q("langGRAPH");
  EXPECT_THAT(Names(request), ElementsAre("a/two"));
  request.set_q("b/thr");
  EXPECT_THAT(Names(request), ElementsAre("b/three"));
  request.set_q("registry.example");
  EXPECT_EQ(Names(request).size(), 3u);
}

TEST_F(ListingTest, WhatCannotBeMeantIsNamed) {
  v1::ListAgentsRequest request;
  request.set_sort("color");
  EXPECT_EQ(RefusedField(request), "sort");
  EXPECT_THAT(std::string(ListAgents(request, catalog_.Agents()).status().message()),
              HasSubstr("created, last_invocation, name, namespace, phase, replicas"));
  request.Clear();
  request.set_order("up");
  EXPECT_EQ(RefusedField(request), "order");
  request.Clear();
  request.set_protocol("A2A");
  EXPECT_EQ(RefusedField(request), "protocol");
  request.Clear();
  request.set_page(-1);
  EXPECT_EQ(RefusedField(request), "page");
  request.Clear();
  request.set_page_size(-1);
  EXPECT_EQ(RefusedField(request), "page_size");
}

TEST_F(ListingTest, ModelsAndAgentsKeepApart) {
  Add(AgentEntry("a", "agent"));
  Add(ModelEntry("a", "model"));
  EXPECT_EQ(ListAgents({}, catalog_.Agents())->total(), 1);
  const auto models = ListModels({}, catalog_.Models());
  ASSERT_EQ(models->total(), 1);
  EXPECT_EQ(models->items(0).metadata().name(), "model");
  v1::ListModelsRequest request;
  request.set_sort("last_invocation");
  EXPECT_FALSE(ListModels(request, catalog_.Models()).ok());
}

TEST_F(ListingTest, EndpointsOfAllOrOfOne) {
  for (const char* name : {"x", "y"}) {
    auto entry = std::make_shared<v1::RegistryEntry>(*AgentEntry("a", name));
    entry->add_endpoints()->set_instance(std::string(name) + "-2");
    entry->add_endpoints()->set_instance(std::string(name) + "-1");
    Add(entry);
  }
  v1::ListEndpointsRequest request;
  auto list = ListEndpoints(request, catalog_.All());
  EXPECT_EQ(list->total(), 4);
  EXPECT_EQ(list->items(0).endpoint().instance(), "x-1");
  request.set_name("y");
  request.set_page_size(1);
  request.set_page(2);
  list = ListEndpoints(request, catalog_.All());
  EXPECT_EQ(list->total(), 2);
  ASSERT_EQ(list->items_size(), 1);
  EXPECT_EQ(list->items(0).endpoint().instance(), "y-2");
  EXPECT_EQ(list->items(0).key().name(), "y");
}

TEST(CatalogTest, ASnapshotDoesNotChange) {
  Catalog catalog("http://gateway");
  catalog.Apply(Added({AgentEntry("a", "one")}));
  const Entries before = catalog.Agents();
  catalog.Apply(testing::Removed(resource::AgentKey("a", "one")));
  EXPECT_EQ(before->size(), 1u);
  EXPECT_EQ(catalog.Agents()->size(), 0u);
  EXPECT_EQ((*before)[0]->agent().status().url(), "http://gateway/v1/agents/a/one");
}

}  // namespace
}  // namespace krypton::controlplane
