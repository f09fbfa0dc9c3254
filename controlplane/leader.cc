#include "controlplane/leader.h"

#include <grpcpp/channel.h>

#include <utility>

#include "absl/strings/match.h"
#include "common/config/address.h"
#include "common/log/log.h"

namespace krypton::controlplane {
namespace {

bool IsLoopback(const std::string& address) {
  const auto parsed = config::ParseHostPort(address);
  return !parsed.ok() || parsed->host == "localhost" || parsed->host == "::1" ||
         absl::StartsWith(parsed->host, "127.");
}

}  // namespace

Leader::Leader(std::shared_ptr<grpc::Channel> configured, Connect connect)
    : configured_(v1::ManagerService::NewStub(std::move(configured))),
      connect_(std::move(connect)),
      stub_(configured_) {}

void Leader::Follow(const std::string& address) {
  if (address.empty()) return;
  const std::lock_guard lock(mutex_);
  if (address == address_) return;
  address_ = address;
  if (IsLoopback(address)) {
    stub_ = configured_;
    return;
  }
  auto channel = connect_(address);
  if (!channel.ok()) {
    log::Warn("cannot ask the leader", {{"address", address}, {"error", channel.status()}});
    stub_ = configured_;
    return;
  }
  log::Info("another manager leads", {{"address", address}});
  stub_ = v1::ManagerService::NewStub(*std::move(channel));
}

Leader::Stub Leader::Get() const {
  const std::lock_guard lock(mutex_);
  return stub_;
}

}  // namespace krypton::controlplane
