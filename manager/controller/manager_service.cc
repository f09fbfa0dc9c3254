#include "manager/controller/manager_service.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "common/rpc/status.h"
#include "manager/controller/controller.h"

namespace krypton::manager {
namespace {

constexpr int kDefaultDecisions = 20;
constexpr int kMaxDecisions = 100;
constexpr int kDefaultLines = 100;
constexpr int kMaxLines = 10'000;

absl::StatusOr<platform::LogOptions> OptionsOf(const v1::ReadLogsRequest& request) {
  if (request.tail_lines() < 0 || request.tail_lines() > kMaxLines) {
    return rpc::InvalidField("tail_lines", "tail_lines is not in 0..10000");
  }
  platform::LogOptions options;
  options.follow = request.follow();
  options.tail_lines = request.tail_lines() == 0 ? kDefaultLines : request.tail_lines();
  options.instance = request.instance();
  return options;
}

}  // namespace

struct ManagerServiceImpl::State {
  State(ManagerServiceSettings settings_in, Controller& controller_in)
      : settings(settings_in), controller(controller_in) {}

  const ManagerServiceSettings settings;
  Controller& controller;
  std::mutex mutex;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  absl::flat_hash_set<LogReader*> readers ABSL_GUARDED_BY(mutex);
};

// One reader of logs: reads from the platform only when the last batch has left.
class ManagerServiceImpl::LogReader : public grpc::ServerWriteReactor<v1::ReadLogsResponse> {
 public:
  explicit LogReader(std::shared_ptr<State> state) : state_(std::move(state)) {}

  void Begin(const grpc::Status& refusal, const v1::ReadLogsRequest& request) {
    if (!refusal.ok()) return End(refusal);
    const absl::StatusOr<platform::LogOptions> options = OptionsOf(request);
    if (!options.ok()) return End(rpc::ToGrpc(options.status()));
    absl::StatusOr<std::unique_ptr<platform::LogStream>> logs =
        state_->controller.ReadLogs(request.key(), *options);
    if (!logs.ok()) return End(rpc::ToGrpc(logs.status()));
    logs_ = *std::move(logs);
    Pump();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return End(grpc::Status::CANCELLED);
    {
      std::lock_guard lock(mutex_);
      writing_ = false;
    }
    Pump();
  }

  void OnCancel() override { End(grpc::Status::CANCELLED); }

  void OnDone() override {
    logs_.reset();  // Waits for a call of `ready` that runs.
    {
      std::lock_guard lock(state_->mutex);
      state_->readers.erase(this);
    }
    delete this;
  }

  void End(grpc::Status status) {
    std::lock_guard lock(mutex_);
    if (std::exchange(finished_, true)) return;
    Finish(std::move(status));
  }

 private:
  // Writes what can be read now, or asks to be told when something can.
  void Pump() {
    std::lock_guard lock(mutex_);
    if (finished_ || writing_) return;
    absl::StatusOr<platform::LogBatch> batch = logs_->Read(state_->settings.max_log_bytes);
    const bool nothing = batch.ok() && batch->lines.empty() && batch->notice.empty();
    if (!batch.ok() || (batch->end && nothing)) {
      finished_ = true;
      Finish(batch.ok() ? grpc::Status::OK : rpc::ToGrpc(batch.status()));
    } else if (nothing) {
      logs_->WhenReadable([this] { Pump(); });
    } else {
      writing_ = true;
      response_.Clear();
      response_.set_instance(std::move(batch->instance));
      for (std::string& line : batch->lines) response_.add_lines(std::move(line));
      response_.set_notice(std::move(batch->notice));
      StartWrite(&response_);
    }
  }

  const std::shared_ptr<State> state_;
  std::unique_ptr<platform::LogStream> logs_;
  v1::ReadLogsResponse response_;
  std::mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

ManagerServiceImpl::ManagerServiceImpl(ManagerServiceSettings settings, Controller& controller)
    : state_(std::make_shared<State>(settings, controller)) {}

ManagerServiceImpl::~ManagerServiceImpl() = default;

grpc::ServerUnaryReactor* ManagerServiceImpl::ListDecisions(grpc::CallbackServerContext* context,
                                                            const v1::ListDecisionsRequest* request,
                                                            v1::ListDecisionsResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (request->limit() < 0) {
    reactor->Finish(rpc::ToGrpc(rpc::InvalidField("limit", "limit is negative")));
    return reactor;
  }
  const int limit =
      request->limit() == 0 ? kDefaultDecisions : std::min(request->limit(), kMaxDecisions);
  const auto records = state_->controller.Decisions(request->key(), static_cast<size_t>(limit));
  if (records.ok()) response->mutable_records()->Assign(records->begin(), records->end());
  reactor->Finish(rpc::ToGrpc(records.status()));
  return reactor;
}

grpc::ServerWriteReactor<v1::ReadLogsResponse>* ManagerServiceImpl::ReadLogs(
    grpc::CallbackServerContext*, const v1::ReadLogsRequest* request) {
  auto* reader = new LogReader(state_);
  grpc::Status refusal;
  {
    std::lock_guard lock(state_->mutex);
    if (state_->stopping) {
      refusal = {grpc::StatusCode::UNAVAILABLE, "the manager is stopping"};
    } else if (state_->readers.size() >= state_->settings.max_log_streams) {
      refusal = {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many log streams are open"};
    } else {
      state_->readers.insert(reader);
    }
  }
  reader->Begin(refusal, *request);
  return reader;
}

void ManagerServiceImpl::Shutdown() {
  std::lock_guard lock(state_->mutex);
  state_->stopping = true;
  for (LogReader* reader : state_->readers) {
    reader->End({grpc::StatusCode::UNAVAILABLE, "the manager is stopping"});
  }
}

}  // namespace krypton::manager
