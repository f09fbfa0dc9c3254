// WatchAgents and WatchModels: one reactor for both. A message is written, the next one is taken
// from the queue when it has gone out; so a slow client costs its queue, which is bounded, and
// nothing more.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "common/rpc/status.h"
#include "controlplane/catalog.h"
#include "controlplane/streams.h"
#include "controlplane/watch_queue.h"

namespace krypton::controlplane {

// `Response` is v1::WatchAgentsResponse or v1::WatchModelsResponse. Lives from Begin to OnDone; a
// change may come by any thread, and then takes a turn: who sets `busy_` may start the next
// operation.
template <typename Response>
class WatchReactor : public grpc::ServerWriteReactor<Response> {
 public:
  using Done = std::function<void(const grpc::Status&)>;

  // `catalog` must hold all that `streams` has published. `done` is called at the end.
  static WatchReactor* Begin(WatchFilter filter, const Catalog& catalog, Streams& streams,
                             Done done);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  WatchReactor(Streams& streams, Done done) : streams_(streams), done_(std::move(done)) {}

  void OnChange(const registry::Change& change);
  // Ends the stream with `status` as soon as no write is under way.
  void End(grpc::Status status);
  // Requires: this thread has set `busy_`. Writes the next message, or ends, or lets go.
  void Continue();

  Streams& streams_;
  const Done done_;
  uint64_t number_ = 0;  // 0: none.
  Response response_;
  std::shared_ptr<WatchReactor> self_;

  std::mutex mutex_;
  std::unique_ptr<WatchQueue> queue_ ABSL_GUARDED_BY(mutex_);
  // Somebody writes, or has finished.
  bool busy_ ABSL_GUARDED_BY(mutex_) = true;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
};

inline void FillResource(const v1::RegistryEntry& entry, v1::WatchAgentsResponse& response) {
  *response.mutable_agent() = entry.agent();
}
inline void FillResource(const v1::RegistryEntry& entry, v1::WatchModelsResponse& response) {
  *response.mutable_model() = entry.model();
}

template <typename Response>
WatchReactor<Response>* WatchReactor<Response>::Begin(WatchFilter filter, const Catalog& catalog,
                                                      Streams& streams, Done done) {
  std::shared_ptr<WatchReactor> reactor(new WatchReactor(streams, std::move(done)));
  reactor->self_ = reactor;
  {
    // A change that is published now waits for this lock, and then finds the queue; what it says
    // twice, the queue says once.
    const std::lock_guard lock(reactor->mutex_);
    const absl::StatusOr<uint64_t> number =
        streams.Add({[reactor](const registry::Change& change) { reactor->OnChange(change); },
                     [reactor] {
                       reactor->End({grpc::StatusCode::UNAVAILABLE, "shutting down"});
                     }});
    const Entries present =
        filter.kind == v1::RESOURCE_KIND_AGENT ? catalog.Agents() : catalog.Models();
    reactor->queue_ = std::make_unique<WatchQueue>(std::move(filter), *present);
    reactor->number_ = number.value_or(0);
    reactor->ending_ = !number.ok();
    reactor->status_ = rpc::ToGrpc(number.status());
  }
  reactor->Continue();
  return reactor.get();
}

template <typename Response>
void WatchReactor<Response>::Continue() {
  bool finish = false;
  grpc::Status status;
  {
    const std::lock_guard lock(mutex_);
    if (ending_) {
      finish = true;  // Stays busy: nothing may follow.
      status = status_;
    } else {
      std::optional<WatchEvent> event = queue_->Next();
      if (!event) {
        busy_ = false;
        return;
      }
      response_.Clear();
      response_.set_type(event->type);
      if (event->entry != nullptr) FillResource(*event->entry, response_);
    }
  }
  // Without the lock: gRPC may call back on this thread.
  if (finish) {
    this->Finish(status);
  } else {
    this->StartWrite(&response_);
  }
}

template <typename Response>
void WatchReactor<Response>::OnChange(const registry::Change& change) {
  {
    const std::lock_guard lock(mutex_);
    queue_->Apply(change);
    if (std::exchange(busy_, true)) return;
  }
  Continue();
}

template <typename Response>
void WatchReactor<Response>::End(grpc::Status status) {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(ending_, true)) status_ = std::move(status);
    if (std::exchange(busy_, true)) return;
  }
  Continue();
}

template <typename Response>
void WatchReactor<Response>::OnWriteDone(bool ok) {
  if (!ok) {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(ending_, true)) status_ = grpc::Status::CANCELLED;
  }
  Continue();
}

template <typename Response>
void WatchReactor<Response>::OnCancel() {
  End(grpc::Status::CANCELLED);
}

template <typename Response>
void WatchReactor<Response>::OnDone() {
  const std::shared_ptr<WatchReactor> self = std::move(self_);
  streams_.Remove(number_);
  grpc::Status status;
  {
    const std::lock_guard lock(mutex_);
    status = status_;
  }
  done_(status);
}

}  // namespace krypton::controlplane
