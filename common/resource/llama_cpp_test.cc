#include "common/resource/llama_cpp.h"

#include "common/resource/rules.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace krypton::resource {
namespace {

using ::testing::ElementsAre;

v1::Model Gemma() {
  v1::Model model;
  model.mutable_metadata()->set_name("gemma");
  model.mutable_spec()->mutable_source()->set_huggingface("ggml-org/gemma-3-270m-GGUF");
  SetDefaults(&model);
  return model;
}

TEST(LlamaServerFlagsTest, ARepositoryAndASlotForEachRequestInFlight) {
  EXPECT_THAT(LlamaServerFlags(Gemma(), "127.0.0.1", 8080),
              ElementsAre("--host", "127.0.0.1", "--port", "8080", "--alias", "gemma", "--hf-repo",
                          "ggml-org/gemma-3-270m-GGUF", "--parallel", "4"));
}

TEST(LlamaServerFlagsTest, AFileOfTheRepository) {
  v1::Model model = Gemma();
  model.mutable_spec()->mutable_source()->set_file("q4.gguf");
  model.mutable_spec()->set_concurrency(2);
  EXPECT_THAT(LlamaServerFlags(model, "0.0.0.0", 1),
              ElementsAre("--host", "0.0.0.0", "--port", "1", "--alias", "gemma", "--hf-repo",
                          "ggml-org/gemma-3-270m-GGUF", "--hf-file", "q4.gguf", "--parallel", "2"));
}

TEST(LlamaServerFlagsTest, APathOfThisMachine) {
  v1::Model model = Gemma();
  model.mutable_spec()->mutable_source()->clear_huggingface();
  model.mutable_spec()->mutable_source()->set_path("tiny.gguf");
  EXPECT_THAT(LlamaServerFlags(model, "127.0.0.1", 1),
              ElementsAre("--host", "127.0.0.1", "--port", "1", "--alias", "gemma", "--model",
                          "tiny.gguf", "--parallel", "4"));
}

TEST(LlamaServerFlagsTest, TheModelsOwnArgumentsWin) {
  v1::Model model = Gemma();
  for (const char* argument : {"--ctx-size", "4096", "-np", "8", "--alias=other"}) {
    model.mutable_spec()->add_args(argument);
  }
  EXPECT_THAT(
      LlamaServerFlags(model, "127.0.0.1", 1),
      ElementsAre("--host", "127.0.0.1", "--port", "1", "--hf-repo", "ggml-org/gemma-3-270m-GGUF",
                  "--ctx-size", "4096", "-np", "8", "--alias=other"));
}

}  // namespace
}  // namespace krypton::resource
