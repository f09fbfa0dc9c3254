// The client layer against a real kube-apiserver, whose kubeconfig is KRYPTON_TEST_KUBECONFIG. Not
// one of ctest's: integration/chart/test_client.py starts the server and this.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/resource/key.h"
#include "manager/platform/kubernetes/client/api_status.h"
#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/client/event_recorder.h"
#include "manager/platform/kubernetes/client/informer.h"
#include "manager/platform/kubernetes/client/json.h"
#include "manager/platform/kubernetes/client/leader_elector.h"
#include "manager/platform/kubernetes/client/lease.h"
#include "manager/platform/kubernetes/client/testing/fake_api_server.h"
#include "manager/platform/kubernetes/proof/reporter_proof.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

const GroupVersionResource kNamespaces = {"", "v1", "namespaces"};
const GroupVersionResource kConfigMaps = {"", "v1", "configmaps"};
const GroupVersionResource kPods = {"", "v1", "pods"};
const GroupVersionResource kServiceAccounts = {"", "v1", "serviceaccounts"};
const GroupVersionResource kDeployments = {"apps", "v1", "deployments"};
const GroupVersionResource kEvents = {"events.k8s.io", "v1", "events"};

class RealApiServerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { signal(SIGPIPE, SIG_IGN); }  // As every process of ours.
  static Config Kubeconfig() {
    const char* path = std::getenv("KRYPTON_TEST_KUBECONFIG");
    EXPECT_NE(path, nullptr) << "KRYPTON_TEST_KUBECONFIG is not set";
    const auto config = KubeconfigFile(path == nullptr ? "" : path);
    EXPECT_TRUE(config.ok()) << config.status();
    return config.value_or(Config());
  }
  static ClientSettings Quick() {
    ClientSettings settings;
    settings.qps = settings.burst = 1000;
    return settings;
  }

  void SetUp() override {
    const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
    name_space_ = absl::StrCat("t", std::hash<std::string>()(test) % 1'000'000'000);
    Must(client_.Create(
        kNamespaces, "",
        {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name_space_}}}}));
  }

  static json::object Must(absl::StatusOr<json::value> value) {
    EXPECT_TRUE(value.ok()) << value.status();
    return value.ok() ? value->get_object() : json::object();
  }
  static json::object ConfigMap(const std::string& name, const std::string& value) {
    return {{"apiVersion", "v1"},
            {"kind", "ConfigMap"},
            {"metadata", {{"name", name}, {"labels", {{"app", "krypton"}}}}},
            {"data", {{"key", value}}}};
  }
  static json::object Deployment(const std::string& image) {
    return {{"apiVersion", "apps/v1"},
            {"kind", "Deployment"},
            {"metadata", {{"name", "echo"}}},
            {"spec",
             {{"replicas", 1},
              {"selector", {{"matchLabels", {{"a", "b"}}}}},
              {"template",
               {{"metadata", {{"labels", {{"a", "b"}}}}},
                {"spec", {{"containers", json::array{{{"name", "agent"}, {"image", image}}}}}}}}}}};
  }
  static std::string Version(const json::object& object) {
    return std::string(MetadataAt(object, "resourceVersion"));
  }
  ObjectName Name(const std::string& name) const { return {name_space_, name}; }
  // As WaitFor, for a server that has to start.
  static bool WaitLong(const std::function<bool()>& condition) {
    for (int i = 0; i < 6; ++i) {
      if (WaitFor(condition)) return true;
    }
    return false;
  }

  std::string name_space_;
  prometheus::Registry metrics_;
  Client client_{Kubeconfig(), Quick(), metrics_};
};

TEST_F(RealApiServerTest, ApplyingTheSameTwiceChangesNothingAndOthersFieldsStay) {
  const std::string first =
      Version(Must(client_.Apply(kDeployments, Name("echo"), Deployment("a:1"))));
  EXPECT_EQ(Version(Must(client_.Apply(kDeployments, Name("echo"), Deployment("a:1")))), first);
  Must(client_.Patch(
      kDeployments, Name("echo"), PatchType::kMerge,
      {{"metadata", {{"annotations", {{"by", "hand"}}}}}, {"spec", {{"replicas", 5}}}},
      {.field_manager = "kubectl"}));
  const json::object again = Must(client_.Apply(kDeployments, Name("echo"), Deployment("a:1")));
  EXPECT_EQ(IntAt(*ObjectAt(again, "spec"), "replicas"), 1);
  EXPECT_EQ(StringAt(*ObjectAt(*ObjectAt(again, "metadata"), "annotations"), "by"), "hand");
  const absl::Status conflict = client_
                                    .Apply(kDeployments, Name("echo"), Deployment("a:2"),
                                           {.field_manager = "another", .force = false})
                                    .status();
  EXPECT_TRUE(IsConflict(conflict)) << conflict;
  Must(client_.Apply(
      kDeployments, Name("echo"),
      {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"status", {{"replicas", 3}}}},
      {.field_manager = "krypton-status", .subresource = "status"}));
  EXPECT_EQ(IntAt(*ObjectAt(Must(client_.Get(kDeployments, Name("echo"))), "status"), "replicas"),
            3);
}

TEST_F(RealApiServerTest, RefusalsAreToldApart) {
  EXPECT_TRUE(absl::IsNotFound(client_.Get(kConfigMaps, Name("none")).status()));
  const json::object made = Must(client_.Create(kConfigMaps, name_space_, ConfigMap("a", "1")));
  EXPECT_TRUE(absl::IsAlreadyExists(
      client_.Create(kConfigMaps, name_space_, ConfigMap("a", "1")).status()));
  EXPECT_TRUE(IsInvalid(client_.Create(kConfigMaps, name_space_, ConfigMap("A_B", "1")).status()));
  json::object old = made;
  Must(client_.Replace(kConfigMaps, Name("a"), ConfigMap("a", "2")));
  EXPECT_TRUE(IsConflict(client_.Replace(kConfigMaps, Name("a"), old).status()));
  EXPECT_TRUE(IsConflict(client_.Delete(kConfigMaps, Name("a"), {.uid = "another"})));
  EXPECT_TRUE(
      client_.Delete(kConfigMaps, Name("a"), {.uid = std::string(MetadataAt(made, "uid"))}).ok());
}

TEST_F(RealApiServerTest, ListsArePaged) {
  for (int i = 0; i < 25; ++i) {
    Must(client_.Create(kConfigMaps, name_space_, ConfigMap(absl::StrCat("c", i), "x")));
  }
  int count = 0;
  const auto version =
      client_.List(kConfigMaps, name_space_, {.label_selector = "app=krypton", .limit = 10},
                   [&](const json::object&) { ++count; });
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(count, 25);
}

TEST_F(RealApiServerTest, AnInformerFollows) {
  Must(client_.Create(kConfigMaps, name_space_, ConfigMap("a", "1")));
  Informer<std::string> informer(
      client_, {.gvr = kConfigMaps, .name_space = name_space_, .label_selector = "app=krypton"},
      [](const json::object& map) -> std::optional<std::string> {
        return std::string(StringAt(*ObjectAt(map, "data"), "key"));
      },
      {}, metrics_);
  informer.Start();
  const auto holds = [&](const std::string& name, const std::string& value) {
    return WaitFor([&] {
      const auto found = informer.Find(Name(name));
      return value.empty() ? found == nullptr : found != nullptr && *found == value;
    });
  };
  EXPECT_TRUE(holds("a", "1"));
  Must(client_.Apply(kConfigMaps, Name("b"), ConfigMap("b", "2")));
  EXPECT_TRUE(holds("b", "2"));
  Must(client_.Apply(kConfigMaps, Name("a"), ConfigMap("a", "3")));
  EXPECT_TRUE(holds("a", "3"));
  EXPECT_TRUE(client_.Delete(kConfigMaps, Name("b")).ok());
  EXPECT_TRUE(holds("b", ""));
  EXPECT_TRUE(informer.state().connected);
}

// The history that the watch stands on is compacted meanwhile, and objects come and go unseen.
TEST_F(RealApiServerTest, AnInformerOutlivesARestartOfTheServer) {
  Must(client_.Create(kConfigMaps, name_space_, ConfigMap("a", "1")));
  Must(client_.Create(kConfigMaps, name_space_, ConfigMap("b", "1")));
  Informer<std::string> informer(
      client_, {.gvr = kConfigMaps, .name_space = name_space_, .label_selector = "app=krypton"},
      [](const json::object& map) -> std::optional<std::string> {
        return std::string(StringAt(*ObjectAt(map, "data"), "key"));
      },
      {}, metrics_);
  informer.Start();
  ASSERT_TRUE(WaitFor([&] { return informer.All().size() == 2; }));
  const char* const ask = std::getenv("KRYPTON_TEST_RESTART");
  ASSERT_NE(ask, nullptr);
  std::ofstream(ask) << "restart";
  ASSERT_TRUE(WaitLong([&] { return !std::filesystem::exists(ask); }));
  ASSERT_TRUE(WaitLong([&] { return client_.Delete(kConfigMaps, Name("b")).ok(); }));
  Must(client_.Create(kConfigMaps, name_space_, ConfigMap("c", "1")));
  EXPECT_TRUE(WaitLong(
      [&] { return informer.Find(Name("b")) == nullptr && informer.Find(Name("c")) != nullptr; }));
  EXPECT_EQ(informer.All().size(), 2u);
  RecordProperty("lists", static_cast<int>(informer.state().lists));
}

TEST_F(RealApiServerTest, ALeaseIsHandedOver) {
  const LeaseSettings lease = {.name_space = name_space_,
                               .identity = "one",
                               .address = "10.0.0.1:7070",
                               .lease_duration = 3s,
                               .renew_deadline = 2s,
                               .retry_period = 200ms};
  Client first(Kubeconfig(), LeaseClientSettings(lease), metrics_);
  Client second(Kubeconfig(), LeaseClientSettings(lease), metrics_);
  LeaseSettings other = lease;
  other.identity = "two";
  LeaderElector one(first, lease, {}, metrics_);
  LeaderElector two(second, other, {}, metrics_);
  ASSERT_TRUE(one.Start().ok());
  ASSERT_TRUE(WaitFor([&] { return one.IsLeader(); }));
  ASSERT_TRUE(two.Start().ok());
  ASSERT_TRUE(WaitFor([&] { return two.leader().address == "10.0.0.1:7070"; }));
  EXPECT_EQ(two.leader().term, 1u);
  one.Stop();
  ASSERT_TRUE(WaitFor([&] { return two.IsLeader(); }));
  EXPECT_EQ(two.term(), 2u);
  const json::object object = Must(client_.Get(kLeases, Name("krypton-manager")));
  EXPECT_EQ(ReadLease(object).holder, two.identity());
  EXPECT_EQ(ReadLease(object).transitions, 2u);
}

TEST_F(RealApiServerTest, EventsAndTheirSeriesAreTaken) {
  const json::object map = Must(client_.Create(kConfigMaps, name_space_, ConfigMap("a", "1")));
  EventRecorder recorder(client_, {.instance = "manager-0", .series_interval = 1ms}, metrics_);
  recorder.Start();
  for (int i = 0; i < 5; ++i) {
    recorder.Emit({"v1", "ConfigMap", name_space_, "a", std::string(MetadataAt(map, "uid"))},
                  EventType::kNormal, "ScaledUp", "Scale", "from 0 to 1");
  }
  recorder.Stop(5s);
  std::vector<int64_t> counts;
  const auto listed = client_.List(kEvents, name_space_, {}, [&](const json::object& event) {
    const json::object* series = ObjectAt(event, "series");
    counts.push_back(series == nullptr ? 1 : IntAt(*series, "count"));
  });
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_THAT(counts, testing::ElementsAre(5));
}

// A token as the kubelet projects it: for this pod, this audience.
class RealTokenTest : public RealApiServerTest {
 protected:
  void SetUp() override {
    RealApiServerTest::SetUp();
    Must(client_.Create(
        kServiceAccounts, name_space_,
        {{"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", {{"name", "echo"}}}}));
    uid_ = std::string(MetadataAt(Must(client_.Create(kPods, name_space_, Pod())), "uid"));
    reviewer_.Start();
  }
  static json::object Pod() {
    return {{"apiVersion", "v1"},
            {"kind", "Pod"},
            {"metadata", {{"name", "echo-1"}}},
            {"spec",
             {{"serviceAccountName", "echo"},
              {"automountServiceAccountToken", false},
              {"containers", json::array{{{"name", "agent"}, {"image", "a:1"}}}}}}};
  }
  std::string Token(const std::string& audience, bool bound = true) {
    json::object spec = {{"audiences", json::array{audience}}, {"expirationSeconds", 600}};
    if (bound) {
      spec["boundObjectRef"] = {
          {"apiVersion", "v1"}, {"kind", "Pod"}, {"name", "echo-1"}, {"uid", uid_}};
    }
    const json::object answer = Must(client_.Create(kServiceAccounts, name_space_,
                                                    {{"apiVersion", "authentication.k8s.io/v1"},
                                                     {"kind", "TokenRequest"},
                                                     {"metadata", {{"name", "echo"}}},
                                                     {"spec", spec}},
                                                    {.subresource = "token"}));
    return std::string(StringAt(*ObjectAt(answer, "status"), "token"));
  }
  absl::Status Judge(const std::string& token) {
    manager::ReporterClaim claim;
    claim.kind = v1::REPORTER_KIND_SIDECAR;
    claim.instance = uid_;
    claim.key = resource::AgentKey(name_space_, "echo");
    claim.token = token;
    std::promise<absl::Status> verdict;
    proof_.Authenticate(claim, [&](absl::Status status) { verdict.set_value(std::move(status)); });
    return verdict.get_future().get();
  }

  std::string uid_;
  TokenReviewer reviewer_{client_, {}, metrics_};
  ReporterProof proof_{
      reviewer_, {"krypton-gateway"}, [this](const std::string&) {
        return KnownPod{name_space_, "echo-1", resource::AgentKey(name_space_, "echo")};
      }};
};

TEST_F(RealTokenTest, OnlyThePodsOwnTokenForKryptonProvesIt) {
  const std::string token = Token("krypton");
  EXPECT_TRUE(Judge(token).ok()) << Judge(token);
  EXPECT_TRUE(absl::IsUnauthenticated(Judge(Token("https://kubernetes.default.svc"))));
  EXPECT_TRUE(absl::IsUnauthenticated(Judge(Token("krypton", false))));
  EXPECT_TRUE(absl::IsUnauthenticated(Judge(token + "x")));
}

TEST_F(RealTokenTest, ATokenEndsWithItsPod) {
  const std::string token = Token("krypton");
  ASSERT_TRUE(client_.Delete(kPods, Name("echo-1"), {.grace_period_seconds = 0}).ok());
  ASSERT_TRUE(
      WaitFor([&] { return absl::IsNotFound(client_.Get(kPods, Name("echo-1")).status()); }));
  EXPECT_TRUE(WaitFor([&] {
    TokenReviewer fresh(client_, {}, metrics_);
    fresh.Start();
    std::promise<absl::Status> verdict;
    fresh.Review(token, [&](const auto& identity) { verdict.set_value(identity.status()); });
    return absl::IsUnauthenticated(verdict.get_future().get());
  }));
}

}  // namespace
}  // namespace krypton::kube
