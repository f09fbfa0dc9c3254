#include "gateway/model_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "common/resource/key.h"
#include "gateway/model_list.h"

namespace krypton::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class ModelTableTest : public testing::Test {
 protected:
  void Put(const std::string& name_space, const std::string& name, int64_t created,
           int32_t nanos = 0) {
    auto entry = std::make_shared<v1::RegistryEntry>();
    *entry->mutable_key() = resource::ModelKey(name_space, name);
    v1::ObjectMeta& metadata = *entry->mutable_model()->mutable_metadata();
    metadata.mutable_creation_timestamp()->set_seconds(created);
    metadata.mutable_creation_timestamp()->set_nanos(nanos);
    entry->mutable_model()->mutable_spec()->mutable_source()->set_huggingface("org/repo");
    entry->mutable_model()->mutable_spec()->mutable_source()->set_file("m.gguf");
    table_.Put(entry, std::make_shared<Dispatcher>(entry->key(), Dispatcher::Settings{},
                                                   metrics_.For(entry->key()),
                                                   [](const DispatcherPtr&, bool) {}));
  }
  void Remove(const std::string& name_space, const std::string& name) {
    table_.Remove(resource::ModelKey(name_space, name));
  }
  std::string NamespaceOf(const std::string& id) {
    const ModelRoutePtr model = table_.Find(id);
    return model == nullptr ? "none" : model->entry->key().namespace_();
  }
  std::vector<std::string> Ids() {
    std::vector<std::string> ids;
    for (const ModelRoutePtr& model : table_.List()) ids.push_back(model->id);
    return ids;
  }
  // Calls by model, of those that have a series.
  std::map<std::string, double> Invocations() {
    std::map<std::string, double> values;
    for (const auto& family : registry_.Collect()) {
      if (family.name != "krypton_model_invocations_total") continue;
      for (const auto& metric : family.metric) {
        for (const auto& label : metric.label) {
          if (label.name == "model") values[label.value] += metric.counter.value;
        }
      }
    }
    values.erase(kUnknownLabel);
    return values;
  }

  metrics::Registry registry_{"gateway"};
  GatewayMetrics metrics_{registry_};
  ModelTable table_{metrics_};
};

TEST_F(ModelTableTest, TheBareNameIsTheOldestModels) {
  Put("late", "llama", 200);
  EXPECT_EQ(NamespaceOf("llama"), "late");
  Put("early", "llama", 100);
  EXPECT_EQ(NamespaceOf("llama"), "early");
  EXPECT_EQ(NamespaceOf("late/llama"), "late");
  EXPECT_EQ(NamespaceOf("early/llama"), "early");
  EXPECT_EQ(NamespaceOf("other"), "none");
  EXPECT_EQ(NamespaceOf("late/other"), "none");
  EXPECT_EQ(NamespaceOf(""), "none");
  Remove("early", "llama");
  EXPECT_EQ(NamespaceOf("llama"), "late");
  Remove("late", "llama");
  EXPECT_EQ(NamespaceOf("llama"), "none");
}

TEST_F(ModelTableTest, OfTwoCreatedAtOnceTheFirstNamespaceHasTheBareName) {
  Put("b", "llama", 100, 5);
  Put("a", "llama", 100, 5);
  EXPECT_EQ(NamespaceOf("llama"), "a");
  Put("c", "llama", 100, 4);
  EXPECT_EQ(NamespaceOf("llama"), "c");
}

TEST_F(ModelTableTest, AModelMadeAgainIsTheYoungest) {
  Put("a", "llama", 100);
  Put("b", "llama", 200);
  Put("a", "llama", 300);
  EXPECT_EQ(NamespaceOf("llama"), "b");
  EXPECT_THAT(Ids(), ElementsAre("llama", "a/llama"));
}

TEST_F(ModelTableTest, SeriesBearTheIdAndGoWithIt) {
  Put("late", "llama", 200);
  const ModelRoutePtr before = table_.Find("llama");
  before->metrics->CountInvocation(200);
  EXPECT_THAT(Invocations(), ElementsAre(Pair("llama", 1)));
  Put("early", "llama", 100);
  EXPECT_THAT(Invocations(), ElementsAre(Pair("late/llama", 0), Pair("llama", 0)));
  before->metrics->CountInvocation(200);  // A call that was in flight: in nobody's series.
  before->metrics->CountTokens({.prompt_tokens = 1, .completion_tokens = 1});
  EXPECT_THAT(Invocations(), ElementsAre(Pair("late/llama", 0), Pair("llama", 0)));
  table_.Find("early/llama")->metrics->CountInvocation(500);
  Remove("early", "llama");
  EXPECT_THAT(Invocations(), ElementsAre(Pair("llama", 0)));
  Remove("late", "llama");
  EXPECT_THAT(Invocations(), IsEmpty());
  for (const auto& family : registry_.Collect()) {
    if (family.name.starts_with("krypton_model_") &&
        family.name.find("invocations_total") == std::string::npos) {
      EXPECT_THAT(family.metric, IsEmpty()) << family.name;
    }
  }
}

TEST_F(ModelTableTest, AChangeKeepsTheSeries) {
  Put("default", "llama", 100);
  table_.Find("llama")->metrics->CountInvocation(200);
  Put("default", "llama", 100);
  EXPECT_THAT(Invocations(), ElementsAre(Pair("llama", 1)));
}

TEST_F(ModelTableTest, IsListedAsOpenAiDoes) {
  Put("late", "llama", 200);
  Put("early", "llama", 100);
  EXPECT_EQ(ModelListJson(table_.List()),
            R"({"object":"list","data":[)"
            R"({"id":"llama","object":"model","created":100,"owned_by":"krypton",)"
            R"("namespace":"early","source":{"huggingface":"org/repo","file":"m.gguf"}},)"
            R"({"id":"late/llama","object":"model","created":200,"owned_by":"krypton",)"
            R"("namespace":"late","source":{"huggingface":"org/repo","file":"m.gguf"}}]})");
  EXPECT_EQ(ModelListJson({}), R"({"object":"list","data":[]})");
}

}  // namespace
}  // namespace krypton::gateway
