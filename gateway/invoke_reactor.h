// One Invoke: passes the parts of a local call's answer on to a gRPC stream, at the stream's pace.
// Owns itself: ends with OnDone. Its functions run on a worker (the call's callbacks) and on gRPC's
// threads; what they share is ordered by the call: a part is written only when the one before was.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <string>

#include "common/http/local_call.h"
#include "krypton/v1/gateway.pb.h"

namespace krypton::http {
class Server;
class Worker;
}  // namespace krypton::http

namespace krypton::gateway {

class InvokeReactor final : public grpc::ServerWriteReactor<v1::InvokeResponse> {
 public:
  InvokeReactor(std::string agent, http::Server& server, http::Worker& worker,
                http::LocalRequest request);
  // Refuses at once.
  explicit InvokeReactor(const absl::Status& status);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  void OnHead(const http::ResponseHead& head);
  void OnData(std::string_view data);
  void OnEnd(const absl::Status& status, const http::Fields& trailers);

  const std::string agent_;
  v1::InvokeResponse part_;
  // Of an error that the mesh made, and its body; empty: the answer is the agent's.
  std::string mesh_error_;
  std::string error_body_;
  std::shared_ptr<http::LocalCall> call_;
};

}  // namespace krypton::gateway
