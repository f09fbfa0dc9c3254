#include "cli/rows.h"

#include <gtest/gtest.h>

namespace krypton::cli {
namespace {

v1::Model Failed(const std::string& reason, const std::string& message) {
  v1::Model model;
  model.mutable_status()->set_phase(v1::MODEL_PHASE_FAILED);
  v1::Condition* condition = model.mutable_status()->add_conditions();
  condition->set_type("Available");
  condition->set_status(v1::CONDITION_STATUS_FALSE);
  condition->set_reason(reason);
  condition->set_message(message);
  return model;
}

TEST(TroubleTest, IsWhatTheManagerSays) {
  EXPECT_EQ(TroubleOf(Failed("WaitingForPods", "cannot be started: no llama-server")),
            "cannot be started: no llama-server");
  EXPECT_EQ(TroubleOf(Failed("NameConflict", "the agent was first")),
            "NameConflict: the agent was first");
}

TEST(TroubleTest, WhatOnlyStartsHasNone) {
  v1::Model model = Failed("WaitingForPods", "none of 1 replicas is ready yet");
  model.mutable_status()->set_phase(v1::MODEL_PHASE_LOADING);
  EXPECT_EQ(TroubleOf(model), "");
  EXPECT_EQ(TroubleOf(v1::Agent()), "");
}

}  // namespace
}  // namespace krypton::cli
