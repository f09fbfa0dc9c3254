#include "manager/controller/scaling_service.h"

#include <mutex>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_format.h"
#include "common/log/log.h"
#include "manager/controller/controller.h"

namespace krypton::manager {

struct ScalingServiceImpl::State {
  State(ScalingServiceSettings settings_in, Controller& controller_in,
        const Leadership& leadership_in)
      : settings(settings_in), controller(controller_in), leadership(leadership_in) {}

  const ScalingServiceSettings settings;
  Controller& controller;
  const Leadership& leadership;
  std::mutex mutex;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  absl::flat_hash_set<Stream*> streams ABSL_GUARDED_BY(mutex);
};

// One scaler. A read is followed by a write, and that by the next read.
class ScalingServiceImpl::Stream
    : public grpc::ServerBidiReactor<v1::PublishDecisionsRequest, v1::PublishDecisionsResponse> {
 public:
  explicit Stream(std::shared_ptr<State> state) : state_(std::move(state)) {}

  void Begin(const grpc::Status& refusal) {
    if (!refusal.ok()) return End(refusal);
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return End(grpc::Status::OK);
    response_.Clear();
    for (const v1::ScalingDecision& decision : request_.decisions()) {
      if (decision.sequence() <= last_sequence_) {
        return End({grpc::StatusCode::INVALID_ARGUMENT,
                    absl::StrFormat("decisions: sequence %d comes after %d", decision.sequence(),
                                    last_sequence_)});
      }
      last_sequence_ = decision.sequence();
      Apply(decision);
    }
    response_.set_acknowledged(last_sequence_);
    response_.set_term(state_->leadership.Get().term);
    std::lock_guard lock(mutex_);
    if (!finished_) StartWrite(&response_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return End(grpc::Status::CANCELLED);
    StartRead(&request_);
  }

  void OnCancel() override { End(grpc::Status::CANCELLED); }

  void OnDone() override {
    {
      std::lock_guard lock(state_->mutex);
      state_->streams.erase(this);
    }
    delete this;
  }

  void End(grpc::Status status) {
    std::lock_guard lock(mutex_);
    if (std::exchange(finished_, true)) return;
    Finish(std::move(status));
  }

 private:
  void Apply(const v1::ScalingDecision& decision) {
    const absl::Status status = state_->controller.Apply(decision);
    if (status.ok()) return;
    static log::Limiter limiter(std::chrono::seconds(1));
    if (limiter.Allow()) {
      log::Warn("decision refused",
                {{"desired", decision.desired()}, {"reason", std::string(status.message())}});
    }
    v1::DecisionRefusal* refusal = response_.add_refusals();
    *refusal->mutable_key() = decision.key();
    refusal->set_sequence(decision.sequence());
    refusal->set_reason(std::string(status.message()));
  }

  const std::shared_ptr<State> state_;
  v1::PublishDecisionsRequest request_;
  v1::PublishDecisionsResponse response_;
  uint64_t last_sequence_ = 0;
  std::mutex mutex_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

ScalingServiceImpl::ScalingServiceImpl(ScalingServiceSettings settings, Controller& controller,
                                       const Leadership& leadership)
    : state_(std::make_shared<State>(settings, controller, leadership)) {}

ScalingServiceImpl::~ScalingServiceImpl() = default;

grpc::ServerBidiReactor<v1::PublishDecisionsRequest, v1::PublishDecisionsResponse>*
ScalingServiceImpl::PublishDecisions(grpc::CallbackServerContext*) {
  auto* stream = new Stream(state_);
  grpc::Status refusal;
  {
    std::lock_guard lock(state_->mutex);
    if (state_->stopping) {
      refusal = {grpc::StatusCode::UNAVAILABLE, "the manager is stopping"};
    } else if (state_->streams.size() >= state_->settings.max_streams) {
      refusal = {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many scalers publish"};
    } else {
      state_->streams.insert(stream);
    }
  }
  stream->Begin(refusal);
  return stream;
}

void ScalingServiceImpl::Shutdown() {
  std::lock_guard lock(state_->mutex);
  state_->stopping = true;
  for (Stream* stream : state_->streams) {
    stream->End({grpc::StatusCode::UNAVAILABLE, "the manager is stopping"});
  }
}

}  // namespace krypton::manager
