#include <grpcpp/grpcpp.h>
#include <prometheus/registry.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "manager/bench/figures.h"
#include "manager/controller/controller.h"
#include "manager/load/load_service.h"
#include "manager/testing/fake_platform.h"
#include "manager/testing/resources.h"

namespace krypton::manager {
namespace {

long ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  long size = 0;
  long resident = 0;
  statm >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// One sidecar: a connection of its own, and its stream.
struct FakeSidecar {
  grpc::ClientContext context;
  std::unique_ptr<v1::LoadService::Stub> stub;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ReportRequest, v1::ReportResponse>> stream;
};

constexpr int kReplicasPerAgent = 5;

std::string AgentOf(int sidecar) { return absl::StrCat("agent-", sidecar / kReplicasPerAgent); }

bool Report(FakeSidecar& sidecar, int number, uint64_t sequence) {
  const std::string instance = absl::StrCat("replica-", number);
  v1::ReportRequest report = ReplicaReport(AgentOf(number), instance, 1);
  report.mutable_reporter()->set_kind(v1::REPORTER_KIND_SIDECAR);
  report.mutable_reporter()->set_instance(instance);
  report.set_sequence(sequence);
  v1::ReportResponse response;
  return sidecar.stream->Write(report) && sidecar.stream->Read(&response);
}

// The other process: reads the address, connects all, says so, and goes when its input ends.
[[noreturn]] void RunSidecars(int input, int output, int sidecars) {
  char address[128] = {};
  if (read(input, address, sizeof address - 1) <= 0) _exit(1);
  std::vector<std::unique_ptr<FakeSidecar>> connected;
  for (int i = 0; i < sidecars; ++i) {
    auto sidecar = std::make_unique<FakeSidecar>();
    const auto channel = rpc::Connect(address, {});
    if (!channel.ok()) _exit(1);
    sidecar->stub = v1::LoadService::NewStub(*channel);
    sidecar->stream = sidecar->stub->Report(&sidecar->context);
    for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
      if (!Report(*sidecar, i, sequence)) _exit(1);
    }
    connected.push_back(std::move(sidecar));
  }
  if (write(output, "x", 1) != 1) _exit(1);
  (void)!read(input, address, 1);
  _exit(0);
}

}  // namespace

void MeasureSidecars(int sidecars) {
  int to_child[2];
  int from_child[2];
  if (pipe(to_child) != 0 || pipe(from_child) != 0) return;
  const pid_t child = fork();
  if (child == 0) {
    close(to_child[1]);
    RunSidecars(to_child[0], from_child[1], sidecars);
  }
  close(from_child[1]);
  const Clock clock;
  FakePlatform platform;
  prometheus::Registry metrics;
  RegistryStore store;
  Leadership leadership;
  Controller controller({}, clock, store, leadership, metrics);
  controller.SetPlatform(platform);
  controller.OnLeadership(true, 1, "");
  for (int first = 0; first < sidecars; first += kReplicasPerAgent) {
    controller.OnResource(MakeResource(AgentOf(first)));
    std::vector<platform::Replica> replicas;
    for (int i = 0; i < kReplicasPerAgent; ++i) {
      replicas.push_back(MakeReplica(absl::StrCat("replica-", first + i)));
    }
    controller.OnReplicas(resource::AgentKey("default", AgentOf(first)), std::move(replicas));
  }
  LoadServiceImpl load({}, clock, leadership, {&controller}, metrics);
  rpc::Server server({}, {&load});
  const auto address = server.Start();
  if (!address.ok()) return;

  const long before = ResidentBytes();
  const std::string text = config::ToString(*address);
  char done = 0;
  if (write(to_child[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      read(from_child[0], &done, 1) == 1) {
    std::printf(
        "{\"figure\":\"memory_per_sidecar\",\"sidecars\":%d,\"kib\":%.1f,\"budget_kib\":40}\n",
        sidecars, static_cast<double>(ResidentBytes() - before) / 1024 / sidecars);
    std::fflush(stdout);
  }
  close(to_child[1]);
  waitpid(child, nullptr, 0);
  load.Shutdown();
  server.Shutdown(std::chrono::seconds(5));
}

}  // namespace krypton::manager
