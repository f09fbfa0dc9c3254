#include "common/registry/client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/registry/snapshot.h"
#include "krypton/v1/registry.grpc.pb.h"

namespace krypton::registry {
namespace {

using Clock = std::chrono::steady_clock;

// What a stream has told its owner; outlives the stream.
struct Mailbox {
  absl::Mutex mutex;
  bool message_arrived ABSL_GUARDED_BY(mutex) = false;
  bool call_done ABSL_GUARDED_BY(mutex) = false;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  grpc::Status status ABSL_GUARDED_BY(mutex);

  bool HasEvent() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return message_arrived || call_done || stopping;
  }
  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return message_arrived || call_done; }
  bool IsDone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return call_done; }
  bool IsStopping() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return stopping; }
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
    if (!ok) return RemoveHold();  // OnDone follows.
    absl::MutexLock lock(&mailbox_.mutex);
    mailbox_.message_arrived = true;
  }
  void OnDone(const grpc::Status& status) override {
    absl::MutexLock lock(&mailbox_.mutex);
    mailbox_.status = status;
    mailbox_.call_done = true;
  }

 private:
  Mailbox& mailbox_;
  grpc::ClientContext context_;
  v1::WatchRequest request_;
  v1::WatchResponse message_;
};

// How long to wait before the next attempt: doubles up to the maximum, and between half and the
// whole of that by chance, so that clients of a manager that comes back do not arrive as one.
absl::Duration BackoffAfter(int attempts, const Settings& settings) {
  std::chrono::milliseconds wait = settings.min_backoff;
  for (int i = 1; i < attempts && wait < settings.max_backoff; ++i) wait *= 2;
  wait = std::min(wait, settings.max_backoff);
  absl::BitGen random;
  return absl::FromChrono(wait) * absl::Uniform(random, 0.5, 1.0);
}

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
      absl::MutexLock lock(&mailbox_.mutex);
      mailbox_.stopping = true;
    }
    if (thread_.joinable()) thread_.join();
  }

  bool WaitSynced(absl::Duration timeout) const {
    absl::MutexLock lock(&copy_mutex_);
    return copy_mutex_.AwaitWithTimeout(absl::Condition(&state_.synced), timeout);
  }

  State state() const {
    absl::MutexLock lock(&copy_mutex_);
    return state_;
  }

  EntryPtr Find(const v1::ResourceKey& key) const {
    absl::MutexLock lock(&copy_mutex_);
    const auto it = snapshot_.entries().find(KeyText(key));
    return it == snapshot_.entries().end() ? nullptr : it->second;
  }

  std::vector<EntryPtr> Entries() const {
    absl::MutexLock lock(&copy_mutex_);
    std::vector<EntryPtr> entries;
    entries.reserve(snapshot_.entries().size());
    for (const auto& [text, entry] : snapshot_.entries()) entries.push_back(entry);
    return entries;
  }

 private:
  void Run() {
    int attempts = 0;
    while (true) {
      if (WatchUntilDone()) attempts = 0;
      ++attempts;
      absl::MutexLock lock(&mailbox_.mutex);
      if (mailbox_.mutex.AwaitWithTimeout(absl::Condition(&mailbox_, &Mailbox::IsStopping),
                                          BackoffAfter(attempts, settings_))) {
        return;
      }
    }
  }

  // One stream from beginning to end. True when it delivered something whole.
  bool WatchUntilDone() {
    {
      absl::MutexLock lock(&mailbox_.mutex);
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
    absl::MutexLock lock(&copy_mutex_);
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
    Await(&Mailbox::HasEvent);
    if (IsStopping()) call.Cancel();
    Await(&Mailbox::HasNews);
    if (!TakeArrival()) return false;
    if (!IsStopping()) return true;
    call.ReadNoMore();
    Await(&Mailbox::IsDone);
    return false;
  }

  void Await(bool (Mailbox::*holds)() const) {
    absl::MutexLock lock(&mailbox_.mutex);
    mailbox_.mutex.Await(absl::Condition(&mailbox_, holds));
  }
  bool IsStopping() {
    absl::MutexLock lock(&mailbox_.mutex);
    return mailbox_.stopping;
  }
  bool TakeArrival() {
    absl::MutexLock lock(&mailbox_.mutex);
    return std::exchange(mailbox_.message_arrived, false);
  }

  bool Take(v1::WatchResponse message) {
    std::optional<Change> change;
    {
      absl::MutexLock lock(&copy_mutex_);
      change = snapshot_.Apply(std::move(message));
      if (!change) return false;
      state_.epoch = change->epoch;
      state_.version = change->version;
    }
    listener_(*change);
    absl::MutexLock lock(&copy_mutex_);
    state_.connected = state_.synced = true;
    state_.stale_since.reset();
    return true;
  }

  void NoteEnd() {
    std::string error;
    {
      absl::MutexLock lock(&mailbox_.mutex);
      if (mailbox_.stopping) return;
      error =
          mailbox_.status.ok() ? "the manager ended the stream" : mailbox_.status.error_message();
    }
    absl::MutexLock lock(&copy_mutex_);
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
  mutable absl::Mutex copy_mutex_;
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
  return impl_->WaitSynced(absl::FromChrono(timeout));
}
State Client::state() const { return impl_->state(); }
EntryPtr Client::Find(const v1::ResourceKey& key) const { return impl_->Find(key); }
std::vector<EntryPtr> Client::Entries() const { return impl_->Entries(); }

}  // namespace krypton::registry
