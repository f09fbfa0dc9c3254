#include "gateway/invoke_reactor.h"

#include <utility>

#include "common/rpc/status.h"
#include "gateway/invoke.h"

namespace krypton::gateway {
namespace {

constexpr size_t kMaxErrorBytes = 64 * 1024;

absl::Status BrokenAnswer(const absl::Status& status, const std::string& agent) {
  if (absl::IsCancelled(status)) return status;
  return rpc::Error(absl::StatusCode::kUnavailable, "AGENT_UNREACHABLE",
                    "the answer ended before it was complete", {{"agent", agent}});
}

}  // namespace

InvokeReactor::InvokeReactor(std::string agent, http::Server& server, http::Worker& worker,
                             http::LocalRequest request)
    : agent_(std::move(agent)) {
  call_ = http::LocalCall::Prepare(
      server, worker, std::move(request),
      {.on_head = [this](const http::ResponseHead& head) { OnHead(head); },
       .on_data = [this](std::string_view data) { OnData(data); },
       .on_end = [this](const absl::Status& status,
                        const http::Fields& trailers) { OnEnd(status, trailers); }});
  call_->Start();
}

InvokeReactor::InvokeReactor(const absl::Status& status) { Finish(rpc::ToGrpc(status)); }

void InvokeReactor::OnHead(const http::ResponseHead& head) {
  mesh_error_ = MeshError(head);
  if (!mesh_error_.empty()) return call_->Resume();
  FillHead(head, *part_.mutable_head());
  StartWrite(&part_);
}

void InvokeReactor::OnData(std::string_view data) {
  if (!mesh_error_.empty()) {
    if (error_body_.size() < kMaxErrorBytes) error_body_.append(data);
    return call_->Resume();
  }
  part_.set_data(data.data(), data.size());
  StartWrite(&part_);
}

void InvokeReactor::OnWriteDone(bool ok) {
  if (ok) {
    call_->Resume();
  } else {
    call_->Cancel();
  }
}

void InvokeReactor::OnCancel() {
  if (call_ != nullptr) call_->Cancel();
}

void InvokeReactor::OnEnd(const absl::Status& status, const http::Fields& trailers) {
  if (!status.ok()) return Finish(rpc::ToGrpc(BrokenAnswer(status, agent_)));
  if (!mesh_error_.empty()) {
    return Finish(rpc::ToGrpc(ToStatus(mesh_error_, error_body_, agent_)));
  }
  if (trailers.empty()) return Finish(grpc::Status::OK);
  FillTrailers(trailers, *part_.mutable_trailers());
  StartWriteAndFinish(&part_, grpc::WriteOptions(), grpc::Status::OK);
}

}  // namespace krypton::gateway
