#include "manager/scaler/publisher.h"

#include <grpcpp/alarm.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/log/log.h"
#include "common/resource/key.h"
#include "common/rpc/backoff.h"
#include "krypton/v1/scaling.grpc.pb.h"

namespace krypton::scaler {

// Owned by the Publisher, and by the stream or the alarm that is under way.
class Publisher::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(const std::shared_ptr<grpc::Channel>& channel, PublisherSettings settings,
       RefusalHandler on_refusal)
      : stub_(v1::ScalingService::NewStub(channel)),
        settings_(std::move(settings)),
        on_refusal_(std::move(on_refusal)) {}

  void Start() {
    std::lock_guard lock(mutex_);
    Connect();
  }
  void Publish(v1::ScalingDecision decision);
  void Stop();

 private:
  class Stream;

  void Connect() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnWritten(bool ok);
  void OnResponse(const v1::PublishDecisionsResponse& response);
  void OnStreamEnding();
  void OnStreamDone(const grpc::Status& status);

  const std::unique_ptr<v1::ScalingService::Stub> stub_;
  const PublisherSettings settings_;
  const RefusalHandler on_refusal_;

  std::mutex mutex_;
  std::condition_variable idle_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;  // For the next attempt.
  bool calling_handler_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;  // The stream takes no further write.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool introduced_ ABSL_GUARDED_BY(mutex_) = false;
  rpc::Backoff backoff_ ABSL_GUARDED_BY(mutex_);
  grpc::Alarm alarm_ ABSL_GUARDED_BY(mutex_);
  // Not sent on the present stream yet, and sent but not acknowledged.
  resource::KeyMap<v1::ScalingDecision> unsent_ ABSL_GUARDED_BY(mutex_);
  resource::KeyMap<v1::ScalingDecision> unacknowledged_ ABSL_GUARDED_BY(mutex_);
};

class Publisher::Impl::Stream
    : public grpc::ClientBidiReactor<v1::PublishDecisionsRequest, v1::PublishDecisionsResponse> {
 public:
  explicit Stream(std::shared_ptr<Impl> owner) : owner_(std::move(owner)) {}

  void Begin() {
    owner_->stub_->async()->PublishDecisions(&context_, this);
    AddHold();  // Until the last read: any thread may start a write meanwhile.
    StartRead(&response_);
    StartCall();
  }
  void Write() { StartWrite(&request); }
  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Cancel();  // Where an answer cannot be read, the manager goes on.
      owner_->OnStreamEnding();
      RemoveHold();
      return;
    }
    owner_->OnResponse(response_);
    response_.Clear();
    StartRead(&response_);
  }
  void OnWriteDone(bool ok) override { owner_->OnWritten(ok); }
  void OnDone(const grpc::Status& status) override {
    owner_->OnStreamDone(status);
    delete this;
  }

  v1::PublishDecisionsRequest request;

 private:
  const std::shared_ptr<Impl> owner_;
  grpc::ClientContext context_;
  v1::PublishDecisionsResponse response_;
};

void Publisher::Impl::Connect() {
  waiting_ = false;
  idle_.notify_all();
  if (stopping_) return;
  introduced_ = false;
  writing_ = false;
  ending_ = false;
  for (auto& [key, decision] : unacknowledged_) unsent_.try_emplace(key, std::move(decision));
  unacknowledged_.clear();
  stream_ = new Stream(shared_from_this());
  stream_->Begin();
  Pump();
}

void Publisher::Impl::Publish(v1::ScalingDecision decision) {
  std::lock_guard lock(mutex_);
  if (stopping_) return;
  const v1::ResourceKey key = decision.key();
  unacknowledged_.erase(key);
  unsent_[key] = std::move(decision);
  Pump();
}

void Publisher::Impl::Pump() {
  constexpr int kBatch = 256;
  if (stream_ == nullptr || ending_ || writing_ || unsent_.empty()) return;
  std::vector<const v1::ScalingDecision*> batch;
  for (const auto& [key, decision] : unsent_) batch.push_back(&decision);
  std::sort(batch.begin(), batch.end(),
            [](const auto* a, const auto* b) { return a->sequence() < b->sequence(); });
  if (batch.size() > kBatch) batch.resize(kBatch);

  v1::PublishDecisionsRequest& request = stream_->request;
  request.Clear();
  if (!introduced_) request.set_scaler(settings_.scaler);
  request.set_term(settings_.term);
  for (const v1::ScalingDecision* decision : batch) *request.add_decisions() = *decision;
  for (const v1::ScalingDecision& decision : request.decisions()) {
    unsent_.erase(decision.key());
    unacknowledged_[decision.key()] = decision;
  }
  introduced_ = true;
  writing_ = true;
  stream_->Write();
}

void Publisher::Impl::OnWritten(bool ok) {
  std::lock_guard lock(mutex_);
  writing_ = false;
  if (ok) Pump();
}

void Publisher::Impl::OnResponse(const v1::PublishDecisionsResponse& response) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    backoff_.Reset();
    absl::erase_if(unacknowledged_, [&](const auto& item) {
      return item.second.sequence() <= response.acknowledged();
    });
    calling_handler_ = true;
  }
  for (const v1::DecisionRefusal& refusal : response.refusals()) on_refusal_(refusal);
  std::lock_guard lock(mutex_);
  calling_handler_ = false;
  idle_.notify_all();
}

void Publisher::Impl::OnStreamEnding() {
  std::lock_guard lock(mutex_);
  ending_ = true;
}

void Publisher::Impl::OnStreamDone(const grpc::Status& status) {
  std::lock_guard lock(mutex_);
  stream_ = nullptr;
  writing_ = false;
  idle_.notify_all();
  if (stopping_) return;
  static log::Limiter limiter(std::chrono::seconds(10));
  if (limiter.Allow()) {
    log::Warn("the stream of decisions broke", {{"error", status.error_message()}});
  }
  waiting_ = true;
  // The alarm keeps its function: a strong pointer in it would keep this for ever.
  alarm_.Set(std::chrono::system_clock::now() + backoff_.Next(), [weak = weak_from_this()](bool) {
    const std::shared_ptr<Impl> self = weak.lock();
    if (self == nullptr) return;
    std::lock_guard again(self->mutex_);
    self->Connect();
  });
}

void Publisher::Impl::Stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  if (stream_ != nullptr) stream_->Cancel();
  if (waiting_) alarm_.Cancel();
  idle_.wait(lock, [this] { return stream_ == nullptr && !waiting_ && !calling_handler_; });
}

Publisher::Publisher(const std::shared_ptr<grpc::Channel>& channel, PublisherSettings settings,
                     RefusalHandler on_refusal)
    : impl_(std::make_shared<Impl>(channel, std::move(settings), std::move(on_refusal))) {}

Publisher::~Publisher() { Stop(); }

void Publisher::Start() { impl_->Start(); }

void Publisher::Publish(v1::ScalingDecision decision) { impl_->Publish(std::move(decision)); }

void Publisher::Stop() { impl_->Stop(); }

}  // namespace krypton::scaler
