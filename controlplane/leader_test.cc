#include "controlplane/leader.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace krypton::controlplane {
namespace {

class LeaderTest : public testing::Test {
 protected:
  static std::shared_ptr<grpc::Channel> ChannelTo(const std::string& address) {
    return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  }

  std::vector<std::string> dialled_;
  Leader leader_{
      ChannelTo("krypton-manager:7070"),
      [this](const std::string& address) -> absl::StatusOr<std::shared_ptr<grpc::Channel>> {
        dialled_.push_back(address);
        if (address == "10.0.0.9:7070") return absl::InternalError("no");
        return ChannelTo(address);
      }};
};

TEST_F(LeaderTest, QuestionsFollowTheLeader) {
  const Leader::Stub configured = leader_.Get();
  leader_.Follow("");
  EXPECT_EQ(leader_.Get(), configured);
  leader_.Follow("10.0.0.1:7070");
  const Leader::Stub first = leader_.Get();
  EXPECT_NE(first, configured);
  leader_.Follow("10.0.0.1:7070");
  EXPECT_EQ(leader_.Get(), first);
  leader_.Follow("10.0.0.2:7070");
  EXPECT_NE(leader_.Get(), first);
  EXPECT_EQ(dialled_, (std::vector<std::string>{"10.0.0.1:7070", "10.0.0.2:7070"}));
}

TEST_F(LeaderTest, AnAddressOfTheLeadersOwnMachineIsNoNews) {
  const Leader::Stub configured = leader_.Get();
  for (const char* address : {"127.0.0.1:7070", "[::1]:7070", "localhost:7070", "nonsense"}) {
    leader_.Follow(address);
    EXPECT_EQ(leader_.Get(), configured) << address;
  }
  leader_.Follow("10.0.0.9:7070");
  EXPECT_EQ(leader_.Get(), configured);
  EXPECT_EQ(dialled_.size(), 1u);
}

}  // namespace
}  // namespace krypton::controlplane
