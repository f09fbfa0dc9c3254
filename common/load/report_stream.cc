#include "common/load/report_stream.h"

#include <utility>

namespace krypton::load {

ReportStream::ReportStream(v1::LoadService::Stub& stub, const std::string& token, Bell& bell,
                           StreamEvents& events)
    : bell_(bell), events_(events) {
  if (!token.empty()) context_.AddMetadata("authorization", "Bearer " + token);
  stub.async()->Report(&context_, this);
  StartRead(&response_);
  AddHold();  // Writes come from outside gRPC's reactions.
  StartCall();
}

void ReportStream::Write(v1::ReportRequest report) {
  {
    const std::lock_guard lock(bell_.mutex);
    events_.writing = true;
  }
  request_ = std::move(report);
  StartWrite(&request_);
}

void ReportStream::WritesDone() { StartWritesDone(); }

void ReportStream::Release() {
  if (std::exchange(released_, true)) return;
  RemoveHold();
}

void ReportStream::OnWriteDone(bool ok) {
  const std::lock_guard lock(bell_.mutex);
  events_.writing = false;
  events_.broken = events_.broken || !ok;
  bell_.rung.notify_one();
}

void ReportStream::OnReadDone(bool ok) {
  {
    const std::lock_guard lock(bell_.mutex);
    if (ok) {
      events_.acknowledged = response_.acknowledged();
      events_.leader_address = response_.leader_address();
    } else {
      events_.broken = true;
    }
    bell_.rung.notify_one();
  }
  if (ok) StartRead(&response_);
}

void ReportStream::OnDone(const grpc::Status& status) {
  // Under the lock to the end: the stream may be destroyed as soon as it is free.
  const std::lock_guard lock(bell_.mutex);
  events_.status = status;
  events_.broken = true;
  events_.done = true;
  bell_.rung.notify_one();
}

}  // namespace krypton::load
