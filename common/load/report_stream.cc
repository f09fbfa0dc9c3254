#include "common/load/report_stream.h"

#include <utility>

namespace krypton::load {

ReportStream::ReportStream(v1::LoadService::Stub& stub, absl::Mutex& mutex, StreamEvents& events)
    : mutex_(mutex), events_(events) {
  stub.async()->Report(&context_, this);
  StartRead(&response_);
  AddHold();  // Writes come from outside gRPC's reactions.
  StartCall();
}

void ReportStream::Write(v1::ReportRequest report) {
  {
    absl::MutexLock lock(&mutex_);
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
  absl::MutexLock lock(&mutex_);
  events_.writing = false;
  events_.broken = events_.broken || !ok;
}

void ReportStream::OnReadDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    if (!ok) {
      events_.broken = true;
      return;
    }
    events_.acknowledged = response_.acknowledged();
    events_.leader_address = response_.leader_address();
  }
  StartRead(&response_);
}

void ReportStream::OnDone(const grpc::Status& status) {
  absl::MutexLock lock(&mutex_);
  events_.status = status;
  events_.broken = true;
  events_.done = true;
}

}  // namespace krypton::load
