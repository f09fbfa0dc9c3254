#include "controlplane/logs.h"

#include <utility>

#include "common/rpc/status.h"

namespace krypton::controlplane {
namespace {

// Both ends of the pipe: the server's side of ReadAgentLogs and, within, the client's side of the
// manager's ReadLogs. They take turns: read there, written here, read there. The manager's status
// is the last word, so the call ends once that is there.
class LogPipe : public grpc::ServerWriteReactor<v1::ReadAgentLogsResponse> {
 public:
  LogPipe(Leader::Stub manager, v1::ReadLogsRequest request, Streams& streams, LogsDone done)
      : manager_(std::move(manager)),
        request_(std::move(request)),
        streams_(streams),
        done_(std::move(done)),
        source_(*this) {}

  void Begin(const std::shared_ptr<LogPipe>& self) {
    self_ = self;
    const absl::StatusOr<uint64_t> number = streams_.Add({nullptr, [self] { self->Stop(); }});
    if (!number.ok()) {
      status_ = rpc::ToGrpc(number.status());
      Finish(status_);
      return;
    }
    number_ = *number;
    manager_->async()->ReadLogs(&context_, &request_, &source_);
    source_.AddHold();  // Reads are started from here too.
    source_.StartRead(&incoming_);
    source_.StartCall();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) context_.TryCancel();
    source_.StartRead(&incoming_);
  }
  void OnCancel() override { context_.TryCancel(); }
  void OnDone() override {
    const std::shared_ptr<LogPipe> self = std::move(self_);
    streams_.Remove(number_);
    done_(status_);
  }

 private:
  class Source : public grpc::ClientReadReactor<v1::ReadLogsResponse> {
   public:
    explicit Source(LogPipe& pipe) : pipe_(pipe) {}
    void OnReadDone(bool ok) override { pipe_.OnRead(ok); }
    void OnDone(const grpc::Status& status) override { pipe_.OnSourceDone(status); }

   private:
    LogPipe& pipe_;
  };

  void OnRead(bool ok) {
    if (!ok) {
      // Something of a message that cannot be read: the manager goes on. Nothing: it has ended, and
      // a cancellation might take its last word away.
      if (incoming_.ByteSizeLong() > 0) context_.TryCancel();
      source_.RemoveHold();
      return;
    }
    outgoing_.set_instance(std::move(*incoming_.mutable_instance()));
    outgoing_.mutable_lines()->Swap(incoming_.mutable_lines());
    outgoing_.set_notice(std::move(*incoming_.mutable_notice()));
    incoming_.Clear();
    StartWrite(&outgoing_);
  }

  void OnSourceDone(const grpc::Status& status) {
    status_ = stopped_ ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down") : status;
    Finish(status_);
  }

  void Stop() {
    stopped_ = true;
    context_.TryCancel();
  }

  const Leader::Stub manager_;
  v1::ReadLogsRequest request_;
  Streams& streams_;
  const LogsDone done_;
  grpc::ClientContext context_;
  Source source_;
  v1::ReadLogsResponse incoming_;
  v1::ReadAgentLogsResponse outgoing_;
  grpc::Status status_;
  std::atomic<bool> stopped_ = false;
  uint64_t number_ = 0;  // 0: none.
  std::shared_ptr<LogPipe> self_;
};

}  // namespace

grpc::ServerWriteReactor<v1::ReadAgentLogsResponse>* PassLogs(Leader::Stub manager,
                                                              Streams& streams,
                                                              v1::ReadLogsRequest request,
                                                              LogsDone done) {
  auto pipe =
      std::make_shared<LogPipe>(std::move(manager), std::move(request), streams, std::move(done));
  pipe->Begin(pipe);
  return pipe.get();
}

}  // namespace krypton::controlplane
