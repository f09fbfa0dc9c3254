// The manager's parts, put together: the registry, the load and scaling services, the scaler, the
// controller, a platform, and the two servers. main.cc gives the settings and the platform.
//
// Start and Stop are called by one thread, each once; Stop ends the platform in its own way.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/address.h"
#include "common/rpc/tls.h"
#include "manager/platform/platform.h"
#include "manager/scaler/policy.h"

namespace krypton::metrics {
class Registry;
}

namespace krypton::manager {

struct ManagerSettings {
  std::string grpc_bind_address = ":7070";
  // 8070 where the gateway runs on the same machine.
  std::string metrics_bind_address = ":8080";
  rpc::TlsSettings tls;
  std::string ready_file;
  std::string gateway_url = "http://127.0.0.1:8080";
  bool enable_scaler = true;
  std::chrono::milliseconds scaler_interval{1000};
  scaler::PolicySettings policy;
};

// Makes the platform once it is known where sidecars reach the manager.
using PlatformFactory = std::function<absl::StatusOr<std::unique_ptr<platform::Platform>>(
    const config::HostPort& manager_address)>;

class Manager {
 public:
  Manager(ManagerSettings settings, PlatformFactory make_platform,
          std::shared_ptr<metrics::Registry> metrics);
  ~Manager();
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  absl::Status Start();
  absl::Status Stop();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace krypton::manager
