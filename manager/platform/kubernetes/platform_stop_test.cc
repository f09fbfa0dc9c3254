// The end of the whole platform while its API server answers nothing.
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "boost/json/parse.hpp"
#include "manager/platform/kubernetes/client/testing/fake_api_server.h"
#include "manager/platform/kubernetes/kubernetes_platform_impl.h"
#include "manager/platform/kubernetes/testing/test_authority.h"

namespace krypton::platform {
namespace {

using namespace std::chrono_literals;
using kube::FakeReply;
using kube::FakeRequest;

constexpr char kAgent[] = R"({"apiVersion": "krypton.ai/v1alpha1", "kind": "Agent",
    "metadata": {"name": "echo", "namespace": "default", "uid": "u1", "resourceVersion": "1",
                 "generation": 1, "creationTimestamp": "2026-11-24T10:00:00Z"},
    "spec": {"image": "example.com/echo:1"}})";

// Hears the platform, and wants one replica of everything.
class Manager : public PlatformListener {
 public:
  explicit Manager(Platform& platform) : platform_(platform) {}
  void OnLeadership(bool leader, uint64_t, std::string) override { leads_ = leader; }
  void OnResource(std::shared_ptr<const resource::Resource> resource) override {
    std::lock_guard lock(mutex_);
    known_.push_back(resource->key());
  }
  void OnResourceDeleted(const v1::ResourceKey&) override {}
  void OnReplicas(const v1::ResourceKey&, std::vector<Replica>) override {}
  void OnTrouble(const v1::ResourceKey&, std::string) override {}
  void OnManifestProblems(std::vector<v1::ManifestProblem>) override {}
  void OnSynced() override { synced_ = true; }

  bool Ready() const {
    std::lock_guard lock(mutex_);
    return leads_ && synced_ && !known_.empty();
  }
  void Want() {
    std::lock_guard lock(mutex_);
    for (const v1::ResourceKey& key : known_) {
      platform_.SetReplicas(key, 1);
      v1::AgentStatus status;
      status.set_desired_replicas(1);
      platform_.OnStatus(key, status);
    }
  }

 private:
  Platform& platform_;
  std::atomic<bool> leads_ = false;
  std::atomic<bool> synced_ = false;
  mutable std::mutex mutex_;
  std::vector<v1::ResourceKey> known_;
};

class PlatformStopTest : public testing::Test {
 protected:
  PlatformStopTest() {
    settings_.name_space = "krypton-system";
    settings_.pod_name = "manager-0";
    settings_.lease.name = "krypton-manager";
    settings_.lease.name_space = "krypton-system";
    settings_.lease.identity = "manager-0";
    settings_.objects.proxy_image = "proxy:1";
    settings_.objects.manager_address = "manager:7070";
    settings_.sidecar_ca_cert = files_.certificate_file();
    settings_.sidecar_ca_key = files_.key_file();
    settings_.stop_patience = 300ms;
  }

  FakeReply Answer(const FakeRequest& request) {
    const bool lease = request.path.find("/leases") != request.path.npos;
    // The Lease is there as long as the server answers at all; other writes never end.
    if (frozen_ || (!lease && request.method != "GET")) {
      std::unique_lock lock(mutex_);
      ++held_;
      changed_.wait(lock, [this] { return released_; });
    }
    if (lease && request.method == "GET") return kube::Refusal(404, "NotFound");
    if (request.method != "GET") return {.body = request.body};
    if (request.is_watch()) return {.end = FakeReply::End::kHold};
    if (request.path.ends_with("/agents")) return kube::ListReply(1, {kAgent});
    if (request.path.ends_with("/agents/echo")) return {.body = kAgent};
    return kube::ListReply(1, {});
  }
  int held() const {
    std::lock_guard lock(mutex_);
    return held_;
  }
  void Release() {
    std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> frozen_ = false;
  bool released_ = false;
  int held_ = 0;
  kube::TestAuthority files_;
  KubernetesSettings settings_;
  prometheus::Registry metrics_;
  kube::FakeApiServer server_{[this](const FakeRequest& request) { return Answer(request); }};
};

TEST_F(PlatformStopTest, AServerThatAnswersNothingIsNotWaitedForLongerThanPatience) {
  KubernetesPlatform platform(settings_, server_.config(), metrics_);
  ASSERT_TRUE(platform.LoadAuthority().ok());
  Manager manager(platform);
  ASSERT_TRUE(platform.Start(manager).ok());
  ASSERT_TRUE(WaitFor([&] { return manager.Ready(); }));
  manager.Want();
  ASSERT_TRUE(WaitFor([&] { return held() >= 2; })) << "a child and the status are being written";
  frozen_ = true;
  const int before = held();
  ASSERT_TRUE(WaitFor([&] { return held() > before; })) << "the Lease is being renewed";
  const auto began = std::chrono::steady_clock::now();
  platform.Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  Release();
}

TEST_F(PlatformStopTest, ASilentServerThatNobodyHasHeardYetIsNotWaitedForEither) {
  frozen_ = true;
  KubernetesPlatform platform(settings_, server_.config(), metrics_);
  ASSERT_TRUE(platform.LoadAuthority().ok());
  Manager manager(platform);
  ASSERT_TRUE(platform.Start(manager).ok());
  ASSERT_TRUE(WaitFor([&] { return held() >= 7; })) << "six lists and the Lease are asked for";
  const auto began = std::chrono::steady_clock::now();
  platform.Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  Release();
}

}  // namespace
}  // namespace krypton::platform
