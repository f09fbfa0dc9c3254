// The control plane as the commands ask it: one connection, and errors that say what to do next.
// One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rpc/tls.h"
#include "krypton/v1/control_plane.grpc.pb.h"

namespace krypton::cli {

class ControlPlane {
 public:
  static absl::StatusOr<ControlPlane> Connect(const std::string& address,
                                              const rpc::TlsSettings& tls);

  v1::ControlPlaneService::Stub& stub() const { return *stub_; }

  // All pages of a list. `namespace_filter` empty: all namespaces; `name` likewise.
  absl::StatusOr<std::vector<v1::Agent>> Agents(const std::string& namespace_filter) const;
  absl::StatusOr<std::vector<v1::Model>> Models(const std::string& namespace_filter) const;
  absl::StatusOr<std::vector<v1::EndpointItem>> Endpoints(
      const std::string& namespace_filter) const;
  absl::StatusOr<std::vector<v1::ManifestProblem>> Problems() const;

  // Where it is, for messages.
  const std::string& address() const { return address_; }
  // `status` of a call, as a sentence for a person: an unreachable control plane becomes where it
  // was looked for and how to say another place.
  absl::Status Explain(const grpc::Status& status) const;

 private:
  ControlPlane(std::string address, std::unique_ptr<v1::ControlPlaneService::Stub> stub)
      : address_(std::move(address)), stub_(std::move(stub)) {}

  std::string address_;
  std::unique_ptr<v1::ControlPlaneService::Stub> stub_;
};

}  // namespace krypton::cli
