#include "common/registry/client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/registry/snapshot.h"
#include "common/rpc/backoff.h"
#include "krypton/v1/registry.grpc.pb.h"

namespace krypton::registry {
namespace {

using Clock = std::chrono::steady_clock;

// What a stream has told its owner; outlives the stream.
struct Mailbox {
  std::mutex mutex;
  std::condition_variable changed;
  bool message_arrived ABSL_GUARDED_BY(mutex) = false;
  bool call_done ABSL_GUARDED_BY(mutex) = false;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  grpc::Status status ABSL_GUARDED_BY(mutex);
};

// One Watch stream. gRPC's threads only ring the mailbox; the client's thread does the rest.
class WatchCall : public grpc::ClientReadReactor<v1::WatchResponse> {
 public:
  WatchCall(v1::RegistryService::Stub& stub, v1::WatchRequest request, Mailbox& mailbox)
      : mailbox_(mailbox), request_(std::move(request)) {
    stub.async()->Watch(&context_, &request_, this);
    AddHold();  // Reads are started by the client's thread: the call must not end in between.
    StartRead(&message_);
    StartCall();
  }

  v1::WatchResponse TakeMessage() { return std::exchange(message_, {}); }
  // After each message exactly one of these two.
  void ReadNext() { StartRead(&message_); }
  void ReadNoMore() { RemoveHold(); }
  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      // OnDone follows, also when it was a message that cannot be read: then the manager goes on.
      context_.TryCancel();
      return RemoveHold();
    }
    std::lock_guard lock(mailbox_.mutex);
    mailbox_.message_arrived = true;
    mailbox_.changed.notify_all();
  }
  void OnDone(const grpc::Status& status) override {
    std::lock_guard lock(mailbox_.mutex);
    mailbox_.status = status;
    mailbox_.call_done = true;
    mailbox_.changed.notify_all();  // Under the lock: afterwards the call may be gone.
  }

 private:
  Mailbox& mailbox_;
  grpc::ClientContext context_;
  v1::WatchRequest request_;
  v1::WatchResponse message_;
};

}  // namespace

class Client::Impl {
 public:
  Impl(std::shared_ptr<grpc::Channel> channel, Settings settings, Listener listener)
      : stub_(v1::RegistryService::NewStub(channel)),
        settings_(std::move(settings)),
        listener_(std::move(listener)) {
    state_.stale_since = Clock::now();
  }

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }

  void Stop() {
    {
      std::lock_guard lock(mailbox_.mutex);
      mailbox_.stopping = true;
      mailbox_.changed.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

  bool WaitSynced(std::chrono::milliseconds timeout) const {
    std::unique_lock lock(copy_mutex_);
    return synced_.wait_for(lock, timeout, [this] { return state_.synced; });
  }

  State state() const {
    std::lock_guard lock(copy_mutex_);
    return state_;
  }

  EntryPtr Find(const v1::ResourceKey& key) const {
    std::lock_guard lock(copy_mutex_);
    const auto it = snapshot_.entries().find(key);
    return it == snapshot_.entries().end() ? nullptr : it->second;
  }

  std::vector<EntryPtr> Entries() const {
    std::lock_guard lock(copy_mutex_);
    std::vector<EntryPtr> entries;
    entries.reserve(snapshot_.entries().size());
    for (const auto& [key, entry] : snapshot_.entries()) entries.push_back(entry);
    return entries;
  }

 private:
  void Run() {
    rpc::Backoff backoff({.min = settings_.min_backoff, .max = settings_.max_backoff});
    while (true) {
      if (WatchUntilDone()) backoff.Reset();
      std::unique_lock lock(mailbox_.mutex);
      const auto stopping = [this] { return mailbox_.stopping; };
      if (mailbox_.changed.wait_for(lock, backoff.Next(), stopping)) return;
    }
  }

  // One stream from beginning to end. True when it delivered something whole.
  bool WatchUntilDone() {
    {
      std::lock_guard lock(mailbox_.mutex);
      if (mailbox_.stopping) return false;
      mailbox_.message_arrived = mailbox_.call_done = false;
    }
    bool delivered = false;
    WatchCall call(*stub_, Request(), mailbox_);
    while (WaitForMessage(call)) {
      delivered |= Take(call.TakeMessage());
      call.ReadNext();
    }
    NoteEnd();
    return delivered;
  }

  v1::WatchRequest Request() const {
    std::lock_guard lock(copy_mutex_);
    v1::WatchRequest request;
    request.set_client(settings_.client);
    request.mutable_keys()->Assign(settings_.keys.begin(), settings_.keys.end());
    request.set_epoch(snapshot_.epoch());
    request.set_version(snapshot_.version());
    return request;
  }

  // False when the stream is over; the call may be destroyed then. The call is told nothing under
  // the lock: it may answer on this very thread.
  bool WaitForMessage(WatchCall& call) {
    Await([](const Mailbox& box) { return box.message_arrived || box.call_done || box.stopping; });
    if (IsStopping()) call.Cancel();
    Await([](const Mailbox& box) { return box.message_arrived || box.call_done; });
    if (!TakeArrival()) return false;
    if (!IsStopping()) return true;
    call.Cancel();  // The wish may have come after the first question.
    call.ReadNoMore();
    Await([](const Mailbox& box) { return box.call_done; });
    return false;
  }

  void Await(bool (*holds)(const Mailbox&)) {
    std::unique_lock lock(mailbox_.mutex);
    mailbox_.changed.wait(lock, [&] { return holds(mailbox_); });
  }
  bool IsStopping() {
    std::lock_guard lock(mailbox_.mutex);
    return mailbox_.stopping;
  }
  bool TakeArrival() {
    std::lock_guard lock(mailbox_.mutex);
    return std::exchange(mailbox_.message_arrived, false);
  }

  bool Take(v1::WatchResponse message) {
    std::optional<Change> change;
    {
      std::lock_guard lock(copy_mutex_);
      change = snapshot_.Apply(std::move(message));
      if (!change) return false;
      state_.epoch = change->epoch;
      state_.version = change->version;
    }
    listener_(*change);
    std::lock_guard lock(copy_mutex_);
    state_.connected = state_.synced = true;
    state_.stale_since.reset();
    synced_.notify_all();
    return true;
  }

  void NoteEnd() {
    std::string error;
    {
      std::lock_guard lock(mailbox_.mutex);
      if (mailbox_.stopping) return;
      error =
          mailbox_.status.ok() ? "the manager ended the stream" : mailbox_.status.error_message();
    }
    std::lock_guard lock(copy_mutex_);
    snapshot_.DropPending();
    if (!state_.stale_since) state_.stale_since = Clock::now();
    state_.connected = false;
    state_.last_error = std::move(error);
    ++state_.failures;
  }

  const std::unique_ptr<v1::RegistryService::Stub> stub_;
  const Settings settings_;
  const Listener listener_;
  Mailbox mailbox_;
  mutable std::mutex copy_mutex_;
  mutable std::condition_variable synced_;
  Snapshot snapshot_ ABSL_GUARDED_BY(copy_mutex_);
  State state_ ABSL_GUARDED_BY(copy_mutex_);
  std::thread thread_;
};

Client::Client(std::shared_ptr<grpc::Channel> channel, Settings settings, Listener listener)
    : impl_(std::make_unique<Impl>(std::move(channel), std::move(settings), std::move(listener))) {}
Client::~Client() { Stop(); }

void Client::Start() { impl_->Start(); }
void Client::Stop() { impl_->Stop(); }
bool Client::Synced() const { return impl_->state().synced; }
bool Client::WaitSynced(std::chrono::milliseconds timeout) const {
  return impl_->WaitSynced(timeout);
}
State Client::state() const { return impl_->state(); }
EntryPtr Client::Find(const v1::ResourceKey& key) const { return impl_->Find(key); }
std::vector<EntryPtr> Client::Entries() const { return impl_->Entries(); }

}  // namespace krypton::registry
