// The manager that leads, which alone knows decisions. At first that is the configured one; the
// registry says where the leader is (registry::Change), and the questions follow it. An address
// that means something on the leader's own machine only (loopback) is no news: then the manager is
// one, and it is the configured one.
//
// Any thread. Whoever has taken a stub may go on using it after the leader has changed.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "krypton/v1/manager.grpc.pb.h"

namespace krypton::controlplane {

class Leader {
 public:
  using Stub = std::shared_ptr<v1::ManagerService::Stub>;
  // rpc::Connect with this process's TLS settings.
  using Connect =
      std::function<absl::StatusOr<std::shared_ptr<grpc::Channel>>(const std::string& address)>;

  Leader(std::shared_ptr<grpc::Channel> configured, Connect connect);

  // What the registry says; empty: as before.
  void Follow(const std::string& address);
  Stub Get() const;

 private:
  const Stub configured_;
  const Connect connect_;
  mutable std::mutex mutex_;
  std::string address_ ABSL_GUARDED_BY(mutex_);
  Stub stub_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::controlplane
