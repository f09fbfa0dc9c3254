#include "cli/model_request.h"

#include <gtest/gtest.h>

namespace krypton::cli {
namespace {

TEST(ModelRequestTest, AWordBecomesAChat) {
  const auto request = MakeModelRequest("default/tiny", "", "Hello \"you\"");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->path, "/v1/chat/completions");
  EXPECT_EQ(request->body,
            R"({"model":"default/tiny","messages":[{"role":"user","content":"Hello \"you\""}]})");
}

TEST(ModelRequestTest, ARequestStaysAsItIsButForTheModel) {
  EXPECT_EQ(MakeModelRequest("a/b", "", "{ \"messages\": [] }")->body,
            "{\"model\":\"a/b\", \"messages\": [] }");
  EXPECT_EQ(MakeModelRequest("a/b", "", "{}")->body, "{\"model\":\"a/b\"}");
  EXPECT_EQ(MakeModelRequest("a/b", "", "{\"model\":\"c\"}")->body, "{\"model\":\"c\"}");
}

TEST(ModelRequestTest, GoesWhereItsFieldsBelongOrWhereItIsSaid) {
  EXPECT_EQ(MakeModelRequest("a/b", "", "{\"prompt\":\"x\"}")->path, "/v1/completions");
  EXPECT_EQ(MakeModelRequest("a/b", "", "{\"input\":\"x\"}")->path, "/v1/embeddings");
  EXPECT_EQ(MakeModelRequest("a/b", "responses", "{\"input\":\"x\"}")->path, "/v1/responses");
  EXPECT_EQ(MakeModelRequest("a/b", "/v1/x?y=1", "word")->path, "/v1/x?y=1");
}

TEST(ModelRequestTest, NothingToSayIsAnError) {
  EXPECT_EQ(MakeModelRequest("a/b", "", "").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace krypton::cli
