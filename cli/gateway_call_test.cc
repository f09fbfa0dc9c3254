#include "cli/gateway_call.h"

#include <gtest/gtest.h>
#include <httplib.h>

namespace krypton::cli {
namespace {

using namespace std::chrono_literals;
using httplib::Error;

const GatewayCall kCall{.gateway = "127.0.0.1:8080", .target = "default/greet", .timeout = 10s};

std::string Said(Error error, std::chrono::milliseconds silence = 0s) {
  return std::string(BrokenCall(kCall, error, silence).message());
}

TEST(BrokenCallTest, AnAgentThatEndsInMidAnswerMayHaveCrashed) {
  EXPECT_EQ(Said(Error::Read, 9s),
            "default/greet closed the connection before its answer was complete; it may have "
            "crashed: 'krypton logs default/greet'");
}

TEST(BrokenCallTest, SilenceIsToldFromAnEnd) {
  EXPECT_EQ(Said(Error::Read, 10s),
            "default/greet was silent for 10s; wait longer with --timeout, or look at what it does "
            "with 'krypton logs default/greet'");
}

TEST(BrokenCallTest, AGatewayThatIsNotThereIsNamed) {
  for (const Error error : {Error::Connection, Error::ConnectionTimeout}) {
    EXPECT_NE(Said(error).find("cannot reach the gateway at 127.0.0.1:8080"), std::string::npos);
  }
}

TEST(BrokenCallTest, NoLibrarysWordIsSaid) {
  for (const Error error : {Error::Unknown, Error::Read, Error::Write, Error::Canceled,
                            Error::Compression, Error::ExceedRedirectCount}) {
    EXPECT_EQ(Said(error).find(httplib::to_string(error)), std::string::npos) << Said(error);
  }
}

}  // namespace
}  // namespace krypton::cli
