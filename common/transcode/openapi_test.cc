#include "common/transcode/openapi.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "krypton/v1/control_plane.grpc.pb.h"
#include "proto/comments.h"

namespace krypton::transcode {
namespace {

namespace json = boost::json;

json::value Document() {
  v1::ListAgentsRequest::descriptor();  // A reference links the protos in, as serving them does.
  const absl::StatusOr<RouteTable> table =
      RouteTable::Build({v1::ControlPlaneService::service_full_name()});
  return json::parse(BuildOpenApi(*table, "title", "v1"));
}

std::string Text(const json::value& value) { return std::string(value.as_string()); }

TEST(OpenApiTest, OperationsSayWhatTheProtosSay) {
  const json::value document = Document();
  for (const auto& path : document.at("paths").as_object()) {
    for (const auto& operation : path.value().as_object()) {
      ASSERT_TRUE(operation.value().as_object().contains("description")) << path.key();
    }
  }
  EXPECT_EQ(Text(document.at_pointer("/paths/~1v1~1agents:watch/get/description")),
            "The agents as they are, then each change.");
}

TEST(OpenApiTest, ParametersAndSchemasSayIt) {
  const json::value document = Document();
  const std::string list = "/paths/~1v1~1agents/get/parameters";
  for (const json::value& parameter : document.at_pointer(list).as_array()) {
    if (Text(parameter.at("name")) != "pageSize") continue;
    EXPECT_EQ(Text(parameter.at("description")),
              ProtoComment("krypton.v1.ListAgentsRequest.page_size"));
    EXPECT_FALSE(parameter.at("schema").as_object().contains("description"));
  }
  const json::value& agent = document.at("components").at("schemas").at("krypton.v1.AgentSpec");
  EXPECT_EQ(Text(agent.at("properties").at("image").at("description")),
            ProtoComment("krypton.v1.AgentSpec.image"));
  EXPECT_FALSE(ProtoComment("krypton.v1.AgentSpec.image").empty());
}

TEST(ProtoCommentTest, ParagraphsAreKeptAndLinesFlow) {
  EXPECT_EQ(ProtoComment("krypton.v1.ControlPlaneService"), "Served by the control plane.");
  EXPECT_EQ(ProtoComment("krypton.v1.Nothing"), "");
  EXPECT_EQ(ProtoComment(""), "");
}

}  // namespace
}  // namespace krypton::transcode
