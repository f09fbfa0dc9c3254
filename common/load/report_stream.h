// ReportStream is one LoadService.Report call. It turns gRPC's reactions into flags that the
// Reporter's thread waits for; it never runs code of the Reporter's owner on a thread of gRPC.
//
// The Reporter's thread owns it and is the only caller. It must not be destroyed before `done`.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

#include "absl/base/thread_annotations.h"
#include "krypton/v1/scaling.grpc.pb.h"

namespace krypton::load {

// What has happened on a stream so far.
struct StreamEvents {
  bool writing = false;  // A report is on its way to the transport.
  bool broken = false;   // Nothing more can be written; `done` follows.
  bool done = false;     // gRPC has no more use for the stream.
  std::uint64_t acknowledged = 0;
  std::string leader_address;  // Where the manager says that the leader is.
  grpc::Status status;         // Once it is done.
};

class ReportStream : private grpc::ClientBidiReactor<v1::ReportRequest, v1::ReportResponse> {
 public:
  // What the Reporter's thread waits with: for a stream's events and for its owner's wishes at
  // once.
  struct Bell {
    std::mutex mutex;
    std::condition_variable rung;
  };

  // `bell.mutex` guards `events`. `token` goes with the call as `authorization: Bearer`; empty:
  // none.
  ReportStream(v1::LoadService::Stub& stub, const std::string& token, Bell& bell,
               StreamEvents& events);

  // Requires: no write on its way.
  void Write(v1::ReportRequest report);
  // Half-closes. Requires: as Write; no Write afterwards.
  void WritesDone();
  void Cancel() { context_.TryCancel(); }
  // No more calls but Cancel: the stream may become `done`.
  void Release();

 private:
  void OnWriteDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  grpc::ClientContext context_;
  Bell& bell_;
  StreamEvents& events_ ABSL_GUARDED_BY(bell_.mutex);
  v1::ReportRequest request_;
  v1::ReportResponse response_;
  bool released_ = false;
};

}  // namespace krypton::load
