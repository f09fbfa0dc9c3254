#include "manager/registry/registry_service.h"

#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>

#include "common/log/log.h"

namespace krypton::manager {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr int kDefaultPageSize = 20;
constexpr int kMaxPageSize = 100;

prometheus::Gauge& MakeGauge(prometheus::Registry& metrics, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(metrics).Add({});
}

}  // namespace

// What the streams share; each holds it for its own life, since gRPC ends them when it likes.
struct RegistryServiceImpl::State {
  explicit State(prometheus::Registry& metrics)
      : version(MakeGauge(metrics, "krypton_registry_version",
                          "Version of the registry; counts its changes.")),
        watchers(MakeGauge(metrics, "krypton_registry_watchers", "Open Watch streams.")),
        lag(MakeGauge(metrics, "krypton_registry_watch_lag_versions",
                      "Changes that the slowest Watch stream has not been sent yet.")),
        delay(prometheus::BuildHistogram()
                  .Name("krypton_registry_watch_delay_seconds")
                  .Help("From a change of the registry to its message having left on a stream.")
                  .Register(metrics)
                  .Add({}, prometheus::Histogram::BucketBoundaries{.0001, .0005, .001, .005, .01,
                                                                   .05, .1, .5, 1, 5})) {}

  prometheus::Gauge& version;
  prometheus::Gauge& watchers;
  prometheus::Gauge& lag;
  prometheus::Histogram& delay;

  std::mutex mutex;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  absl::flat_hash_set<Watcher*> streams ABSL_GUARDED_BY(mutex);
};

// Lock order: State::mutex or the store's listeners, then Watcher::mutex_, then the store.
class RegistryServiceImpl::Watcher : public grpc::ServerWriteReactor<v1::WatchResponse>,
                                     public StoreListener {
 public:
  Watcher(std::shared_ptr<State> state, RegistryStore& store, const v1::WatchRequest& request)
      : state_(std::move(state)),
        store_(store),
        keys_(request.keys().begin(), request.keys().end()),
        client_(request.client().substr(0, 128)),
        cursor_(store.Resume(request.epoch(), request.version())) {}

  // Requires: the State has the stream, or has refused it (`refusal`).
  void Begin(const grpc::Status& refusal) {
    if (!refusal.ok()) {
      End(refusal);
      return;
    }
    store_.Subscribe(keys_, this);
    subscribed_ = true;
    log::Debug("registry watch began", {{"client", client_}});
    Pump();
  }

  void OnStoreChange() override {
    {
      std::lock_guard lock(mutex_);
      if (!changed_at_.has_value()) changed_at_ = std::chrono::steady_clock::now();
    }
    Pump();
  }

  void OnWriteDone(bool ok) override {
    {
      std::lock_guard lock(mutex_);
      writing_ = false;
      response_ = v1::WatchResponse();
      if (written_change_.has_value()) {
        state_->delay.Observe(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - *written_change_)
                .count());
        written_change_.reset();
      }
      if (!ok && !end_.has_value()) end_ = grpc::Status::CANCELLED;
    }
    Pump();
  }

  void OnCancel() override { End(grpc::Status::CANCELLED); }

  void OnDone() override {
    if (subscribed_) store_.Unsubscribe(keys_, this);
    {
      std::lock_guard lock(state_->mutex);
      state_->streams.erase(this);
    }
    delete this;
  }

  void End(grpc::Status status) {
    {
      std::lock_guard lock(mutex_);
      if (end_.has_value()) return;
      end_ = std::move(status);
    }
    Pump();
  }

  uint64_t seen() {
    std::lock_guard lock(mutex_);
    return cursor_.version;
  }

 private:
  // Writes the next message, or ends the stream, if it is time for it.
  void Pump() {
    std::lock_guard lock(mutex_);
    if (writing_ || finished_) return;
    if (end_.has_value()) {
      finished_ = true;
      Finish(*end_);
      return;
    }
    if (!store_.synced()) return;
    if (!store_.Next(keys_, cursor_, &response_)) {
      changed_at_.reset();
      if (!cursor_.expired) return;
      finished_ = true;
      Finish({grpc::StatusCode::OUT_OF_RANGE,
              "this watch is too far behind; watch again for a full snapshot"});
      return;
    }
    writing_ = true;
    written_change_ = std::exchange(changed_at_, std::nullopt);
    StartWrite(&response_);
  }

  const std::shared_ptr<State> state_;
  RegistryStore& store_;
  const std::vector<v1::ResourceKey> keys_;
  const std::string client_;
  bool subscribed_ = false;  // Set before gRPC can know of the stream's end.

  std::mutex mutex_;
  Cursor cursor_ ABSL_GUARDED_BY(mutex_);
  v1::WatchResponse response_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  // The first change that no message has taken yet, and the one of the message under way.
  std::optional<SteadyTime> changed_at_ ABSL_GUARDED_BY(mutex_);
  std::optional<SteadyTime> written_change_ ABSL_GUARDED_BY(mutex_);
};

RegistryServiceImpl::RegistryServiceImpl(RegistryServiceSettings settings, RegistryStore& store,
                                         prometheus::Registry& metrics)
    : settings_(settings), store_(store), state_(std::make_shared<State>(metrics)) {}

RegistryServiceImpl::~RegistryServiceImpl() = default;

grpc::Status RegistryServiceImpl::Check(const v1::WatchRequest& request) const {
  if (request.keys_size() > settings_.max_keys) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "keys: too many; leave it empty for all"};
  }
  for (const v1::ResourceKey& key : request.keys()) {
    if (!resource::IsDnsLabel(key.namespace_()) || !resource::IsDnsLabel(key.name())) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "keys: one of them names no agent and no model"};
    }
  }
  return grpc::Status::OK;
}

grpc::ServerWriteReactor<v1::WatchResponse>* RegistryServiceImpl::Watch(
    grpc::CallbackServerContext*, const v1::WatchRequest* request) {
  auto* watcher = new Watcher(state_, store_, *request);
  grpc::Status refusal = Check(*request);
  if (refusal.ok()) {
    std::lock_guard lock(state_->mutex);
    if (state_->stopping) {
      refusal = {grpc::StatusCode::UNAVAILABLE, "the manager is stopping"};
    } else if (state_->streams.size() >= settings_.max_watchers) {
      refusal = {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many registry watches are open"};
    } else {
      state_->streams.insert(watcher);
    }
  }
  watcher->Begin(refusal);
  return watcher;
}

grpc::ServerUnaryReactor* RegistryServiceImpl::GetRegistry(grpc::CallbackServerContext* context,
                                                           const v1::GetRegistryRequest* request,
                                                           v1::GetRegistryResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (request->page() < 0 || request->page_size() < 0) {
    reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "page and page_size are not negative"});
    return reactor;
  }
  const int page = std::max(request->page(), 1);
  const int size =
      request->page_size() == 0 ? kDefaultPageSize : std::min(request->page_size(), kMaxPageSize);
  std::vector<EntryPtr> entries;
  const size_t total =
      store_.List(request->namespace_(), static_cast<size_t>(page - 1) * static_cast<size_t>(size),
                  static_cast<size_t>(size), &entries);
  response->set_epoch(store_.epoch());
  response->set_version(store_.version());
  response->set_term(store_.term());
  for (const EntryPtr& entry : entries) *response->add_entries() = *entry;
  response->set_page(page);
  response->set_page_size(size);
  response->set_total(static_cast<int32_t>(total));
  v1::ManifestProblems problems = store_.problems();
  response->mutable_problems()->Swap(problems.mutable_items());
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

void RegistryServiceImpl::UpdateMetrics() {
  const uint64_t version = store_.version();
  std::lock_guard lock(state_->mutex);
  uint64_t slowest = version;
  for (Watcher* watcher : state_->streams) slowest = std::min(slowest, watcher->seen());
  state_->version.Set(static_cast<double>(version));
  state_->watchers.Set(static_cast<double>(state_->streams.size()));
  state_->lag.Set(static_cast<double>(version - slowest));
}

void RegistryServiceImpl::Shutdown() {
  std::lock_guard lock(state_->mutex);
  state_->stopping = true;
  for (Watcher* watcher : state_->streams) {
    watcher->End({grpc::StatusCode::UNAVAILABLE, "the manager is stopping"});
  }
}

}  // namespace krypton::manager
