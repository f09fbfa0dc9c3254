#include "cli/up/screen.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace krypton::cli {
namespace {

v1::Agent AgentNamed(const std::string& name, int ready, int desired) {
  v1::Agent agent;
  agent.mutable_metadata()->set_namespace_("default");
  agent.mutable_metadata()->set_name(name);
  agent.mutable_status()->set_phase(v1::AGENT_PHASE_SCALING);
  agent.mutable_status()->set_ready_replicas(ready);
  agent.mutable_status()->set_desired_replicas(desired);
  return agent;
}

class ScreenTest : public ::testing::Test {
 protected:
  ScreenTest() {
    state_.addresses.gateway = {"gateway", "127.0.0.1:8080", "127.0.0.1:7080", "127.0.0.1:8081"};
    state_.addresses.control_plane = {"control_plane", "127.0.0.1:8090", "127.0.0.1:7090",
                                      "127.0.0.1:8091"};
    state_.addresses.manager = {"manager", "", "127.0.0.1:7070", "127.0.0.1:8070"};
    for (const auto* component : state_.addresses.all()) {
      state_.components.push_back({component, 42, "running"});
    }
  }
  std::string Render(size_t width, size_t height) const {
    return RenderScreen(state_, width, height, {});
  }

  ScreenState state_;
};

TEST_F(ScreenTest, ShowsComponentsAgentsAndWhatToTry) {
  state_.agents = {AgentNamed("hello", 1, 3)};
  state_.news = {"12:00:00 default/hello: Scaling, 1/3 replicas"};
  const std::string screen = Render(160, 40);
  for (const char* text :
       {"127.0.0.1:8070", "control plane", "hello", "1/3", "Scaling",
        "curl -i http://127.0.0.1:8080/v1/agents/default/hello",
        "grpcurl -plaintext 127.0.0.1:7090 krypton.v1.ControlPlaneService/ListAgents",
        "12:00:00 default/hello"}) {
    EXPECT_NE(screen.find(text), std::string::npos) << text << " in\n" << screen;
  }
}

v1::Model ModelNamed(const std::string& name, v1::ModelPhase phase) {
  v1::Model model;
  model.mutable_metadata()->set_namespace_("default");
  model.mutable_metadata()->set_name(name);
  model.mutable_status()->set_phase(phase);
  model.mutable_status()->set_desired_replicas(1);
  return model;
}

TEST_F(ScreenTest, ShowsModelsAndThatTheyCanBeTalkedTo) {
  state_.agents = {AgentNamed("hello", 1, 3)};
  EXPECT_EQ(Render(160, 40).find("krypton chat"), std::string::npos);
  state_.models = {ModelNamed("smollm", v1::MODEL_PHASE_LOADING)};
  const std::string screen = Render(160, 40);
  for (const char* text : {"SOURCE", "smollm", "Loading", "krypton chat smollm", "hello"}) {
    EXPECT_NE(screen.find(text), std::string::npos) << text << " in\n" << screen;
  }
}

TEST_F(ScreenTest, FitsTheTerminalWithModelsToo) {
  for (int i = 0; i < 100; ++i) {
    state_.agents.push_back(AgentNamed("agent-" + std::to_string(i), 0, 0));
    state_.models.push_back(ModelNamed("model-" + std::to_string(i), v1::MODEL_PHASE_READY));
    state_.news.push_back("news " + std::to_string(i));
  }
  for (const size_t height : {24, 30, 60}) {
    const std::string screen = Render(60, height);
    EXPECT_LE(std::count(screen.begin(), screen.end(), '\n'), static_cast<long>(height));
    for (const char* text : {"agent-0", "model-0", "more (krypton get models)", "krypton chat"}) {
      EXPECT_NE(screen.find(text), std::string::npos) << text << " in\n" << screen;
    }
  }
}

TEST_F(ScreenTest, FitsTheTerminal) {
  for (int i = 0; i < 100; ++i) {
    state_.agents.push_back(AgentNamed("agent-" + std::to_string(i), 0, 0));
    state_.news.push_back("news " + std::to_string(i));
  }
  const std::string screen = Render(60, 24);
  EXPECT_LE(std::count(screen.begin(), screen.end(), '\n'), 24);
  EXPECT_NE(screen.find("more (krypton get agents)"), std::string::npos) << screen;
  EXPECT_NE(screen.find("curl -i"), std::string::npos) << screen;
  EXPECT_NE(screen.find("news 99"), std::string::npos) << screen;
  EXPECT_EQ(screen.find("news 1\x1b"), std::string::npos) << screen;
}

TEST_F(ScreenTest, WhatIsWrongIsSaidToItsEndAndOnlyWhileItIs) {
  state_.agents = {AgentNamed("broken", 0, 1)};
  state_.agents[0].mutable_status()->set_phase(v1::AGENT_PHASE_FAILED);
  v1::Condition* condition = state_.agents[0].mutable_status()->add_conditions();
  condition->set_type("Available");
  condition->set_status(v1::CONDITION_STATUS_FALSE);
  condition->set_reason("WaitingForPods");
  condition->set_message("the agent exited with status 1: " + std::string(300, 'x') +
                         "\n\x1b[2JAddress already in use, is started again after 32 s");
  const std::string screen = Render(80, 40);
  EXPECT_NE(screen.find("default/broken: the agent exited with status 1"), std::string::npos)
      << screen;
  EXPECT_NE(screen.find("in use, is started again after 32 s"), std::string::npos) << screen;
  EXPECT_EQ(screen.find("\x1b[2J"), std::string::npos);

  state_.agents[0].mutable_status()->set_phase(v1::AGENT_PHASE_READY);
  EXPECT_EQ(Render(80, 40).find("is started again"), std::string::npos);
}

TEST_F(ScreenTest, LongNewsKeepTheirEnd) {
  state_.news = {"12:00:00 old", "12:00:01 refused: wrong.yaml " + std::string(500, 'x') +
                                     " 70000 is not in 1..65535"};
  const std::string screen = Render(60, 24);
  EXPECT_NE(screen.find("70000 is not in 1..65535"), std::string::npos) << screen;
  EXPECT_LE(std::count(screen.begin(), screen.end(), '\n'), 24);
}

TEST_F(ScreenTest, ARefusedManifestIsRedAndNamed) {
  v1::ManifestProblem problem;
  problem.set_file("wrong.yaml");
  problem.set_document(2);
  problem.set_field("spec.port");
  problem.set_reason("70000 is not in 1..65535");
  state_.problems = {problem};
  EXPECT_NE(Render(160, 40).find("wrong.yaml"), std::string::npos);
}

TEST(DescribeChangeTest, TellsOnlyWhatAPersonWantsToSee) {
  v1::WatchAgentsResponse change;
  change.set_type(v1::CHANGE_TYPE_MODIFIED);
  *change.mutable_agent() = AgentNamed("hello", 1, 3);
  const v1::Agent before = AgentNamed("hello", 1, 1);
  EXPECT_EQ(DescribeChange(&before, change),
            "default/hello: Scaling, 1/3 replicas (wanted 1 -> 3)");
  EXPECT_EQ(DescribeChange(&change.agent(), change), "");
  change.set_type(v1::CHANGE_TYPE_DELETED);
  EXPECT_EQ(DescribeChange(&before, change), "default/hello: deleted");
  change.set_type(v1::CHANGE_TYPE_SYNCED);
  EXPECT_EQ(DescribeChange(nullptr, change), "");
}

TEST(DescribeChangeTest, TellsWhyAModelDoesNotRun) {
  v1::WatchModelsResponse change;
  change.set_type(v1::CHANGE_TYPE_ADDED);
  *change.mutable_model() = ModelNamed("smollm", v1::MODEL_PHASE_FAILED);
  v1::Condition* condition = change.mutable_model()->mutable_status()->add_conditions();
  condition->set_type("Available");
  condition->set_status(v1::CONDITION_STATUS_FALSE);
  condition->set_reason("WaitingForPods");
  condition->set_message("cannot be started: llama-server is not on the PATH");
  EXPECT_EQ(
      DescribeChange(nullptr, change),
      "default/smollm: Failed, 0/1 replicas; cannot be started: llama-server is not on the PATH");
}

}  // namespace
}  // namespace krypton::cli
