// The platform with real supervisors, sidecars and agents.
#include "manager/platform/local/local_platform.h"

#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "manager/platform/local/testing/machine.h"

namespace krypton::platform {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using testing::Machine;
using testing::Serve;

constexpr char kEcho[] = "default/echo";

class LocalPlatformTest : public Machine {};

TEST_F(LocalPlatformTest, RunsAnAgentFromAManifest) {
  WriteManifest("a.yaml", Agent("echo", Serve()));
  StartPlatform();
  ASSERT_NE(recorder_->resource(kEcho), nullptr);
  EXPECT_EQ(recorder_->resource(kEcho)->generation(), 1);
  EXPECT_TRUE(recorder_->replicas(kEcho).empty());
  SetReplicas(kEcho, 1);
  ASSERT_TRUE(WaitRunning(kEcho, 1));
  const Replica replica = recorder_->replicas(kEcho)[0];
  EXPECT_EQ(replica.address, "127.0.0.1");
  EXPECT_EQ(replica.generation, 1);
  EXPECT_THAT(Call(replica), HasSubstr(replica.ref));
  SetReplicas(kEcho, 0);
  ASSERT_TRUE(WaitRunning(kEcho, 0));
  EXPECT_TRUE(Processes().empty());
  EXPECT_TRUE(std::filesystem::is_empty(settings_.state_dir + "/replicas"));
}

}  // namespace
}  // namespace krypton::platform
