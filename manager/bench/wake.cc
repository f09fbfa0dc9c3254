#include <grpcpp/grpcpp.h>
#include <prometheus/registry.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "manager/bench/figures.h"
#include "manager/controller/controller.h"
#include "manager/controller/scaling_service.h"
#include "manager/load/load_service.h"
#include "manager/registry/registry_service.h"
#include "manager/scaler/scaler_host.h"
#include "manager/testing/fake_platform.h"
#include "manager/testing/resources.h"

namespace krypton::manager {
namespace {

// Says when it was asked.
class TimingPlatform : public FakePlatform {
 public:
  void SetReplicas(const v1::ResourceKey& key, int desired) override {
    if (desired == 0) return;
    std::lock_guard lock(mutex_);
    asked_for_ = key.name();
    asked_at_ = std::chrono::steady_clock::now();
    asked_.notify_all();
  }
  std::chrono::steady_clock::time_point Wait(const std::string& name) {
    std::unique_lock lock(mutex_);
    asked_.wait_for(lock, std::chrono::seconds(10), [&] { return asked_for_ == name; });
    return asked_at_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable asked_;
  std::string asked_for_;
  std::chrono::steady_clock::time_point asked_at_;
};

std::string Name(int agent) { return absl::StrCat("agent-", agent); }

// Reports, from one gateway over TCP, one agent after the other.
std::vector<double> Wake(const std::string& address, int wakes, TimingPlatform& platform) {
  std::vector<double> times;
  const auto channel = rpc::Connect(address, {});
  if (!channel.ok()) return times;
  const auto stub = v1::LoadService::NewStub(*channel);
  grpc::ClientContext context;
  const auto stream = stub->Report(&context);
  v1::ReportResponse response;
  for (int agent = 0; agent < wakes; ++agent) {
    v1::ReportRequest report = QueueReport(Name(agent), 1);
    report.mutable_reporter()->set_kind(v1::REPORTER_KIND_GATEWAY);
    report.mutable_reporter()->set_instance("g1");
    report.set_sequence(static_cast<uint64_t>(agent) + 1);
    const auto start = std::chrono::steady_clock::now();
    if (!stream->Write(report)) break;
    const auto asked = platform.Wait(Name(agent));
    times.push_back(std::chrono::duration<double, std::milli>(asked - start).count());
    if (!stream->Read(&response)) break;
  }
  stream->WritesDone();
  while (stream->Read(&response)) {
  }
  (void)stream->Finish();
  return times;
}

}  // namespace

void MeasureWake(int wakes) {
  const Clock clock;
  TimingPlatform platform;
  prometheus::Registry metrics;
  RegistryStore store;
  Leadership leadership;
  Controller controller({}, clock, store, leadership, metrics);
  controller.SetPlatform(platform);
  controller.OnLeadership(true, 1, "");
  scaler::ScalerHost scaler({}, clock, metrics);
  RegistryServiceImpl registry({}, store, metrics);
  LoadServiceImpl load({}, clock, leadership, {&controller, &scaler.listener()}, metrics);
  ScalingServiceImpl scaling({}, controller, leadership);
  rpc::Server server({}, {&registry, &load, &scaling});
  const auto address = server.Start();
  if (!address.ok()) return;
  for (int agent = 0; agent < wakes; ++agent) {
    controller.OnResource(MakeResource(Name(agent), {.serverless = true}));
  }
  controller.OnSynced();
  scaler.Lead(1, server.InProcessChannel());
  PrintTimes("wake_to_platform_asked", Wake(config::ToString(*address), wakes, platform), 10);
  scaler.Follow();
  registry.Shutdown();
  load.Shutdown();
  scaling.Shutdown();
  server.Shutdown(std::chrono::seconds(5));
}

}  // namespace krypton::manager
