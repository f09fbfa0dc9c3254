#include "common/transcode/call.h"

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "absl/base/thread_annotations.h"

namespace krypton::transcode {
namespace {

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string ToBytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

std::vector<Header> ToHeaders(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  std::vector<Header> headers;
  for (const auto& [key, value] : metadata) {
    headers.push_back({{key.data(), key.size()}, {value.data(), value.size()}});
  }
  return headers;
}

// What is further away is no deadline at all, and would overflow the clock.
constexpr std::chrono::hours kFarAway(24 * 365);

}  // namespace

// gRPC calls the On... methods on its threads; the rest is Call's thread. A hold keeps OnDone away
// until no more reads will be started.
class Call::Reactor : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit Reactor(std::vector<std::string> requests) : requests_(std::move(requests)) {}

  void Start(grpc::GenericStub& stub, const std::string& rpc_path, std::shared_ptr<Reactor> self) {
    self_ = std::move(self);
    stub.PrepareBidiStreamingCall(&context, rpc_path, {}, this);
    AddHold();
    reading_ = true;
    WriteNext();
    StartRead(&incoming_);
    StartCall();
  }

  Event Next(std::chrono::milliseconds wait) {
    bool start = false;
    {
      const std::lock_guard lock(mutex_);
      start = !reading_ && !has_message_ && !no_more_;
      if (start) reading_ = true;
    }
    // Without the lock: gRPC may call OnReadDone on this very thread.
    if (start) StartRead(&incoming_);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, wait, [this] { return has_message_ || done_; });
    if (has_message_) {
      has_message_ = false;
      return {Event::Kind::kMessage, ToBytes(incoming_)};
    }
    return {done_ ? Event::Kind::kEnd : Event::Kind::kTimeout, ""};
  }

  void Drop() {
    context.TryCancel();
    bool release = false;
    {
      const std::lock_guard lock(mutex_);
      // A read that is under way ends with the cancellation and then lets go of the hold.
      release = !reading_ && !no_more_;
      dropped_ = true;
      if (release) no_more_ = true;
    }
    if (release) RemoveHold();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
  }

  void OnWriteDone(bool ok) override {
    if (ok) WriteNext();
  }

  void OnReadDone(bool ok) override {
    bool release = false;
    {
      const std::lock_guard lock(mutex_);
      reading_ = false;
      has_message_ = ok;
      if (!ok || dropped_) {
        no_more_ = true;
        release = true;
      }
      changed_.notify_all();
    }
    if (release) RemoveHold();
  }

  void OnDone(const grpc::Status& status) override {
    // Lives until this function has returned, whatever Drop does meanwhile.
    const std::shared_ptr<Reactor> self = std::move(self_);
    const std::lock_guard lock(mutex_);
    call_status = {status.error_code(), status.error_message(), status.error_details()};
    done_ = true;
    changed_.notify_all();
  }

  grpc::ClientContext context;
  CallStatus call_status;

 private:
  void WriteNext() {
    if (next_request_ == requests_.size()) {
      StartWritesDone();
      return;
    }
    outgoing_ = ToBuffer(requests_[next_request_++]);
    StartWrite(&outgoing_);
  }

  std::shared_ptr<Reactor> self_;
  const std::vector<std::string> requests_;
  size_t next_request_ = 0;
  grpc::ByteBuffer outgoing_;
  grpc::ByteBuffer incoming_;

  std::mutex mutex_;
  // `has_message_` or `done_` has become true.
  std::condition_variable changed_;
  // A read is under way.
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  // `incoming_` holds a message that Next has not given out.
  bool has_message_ ABSL_GUARDED_BY(mutex_) = false;
  // No read will be started any more; the hold is gone or going.
  bool no_more_ ABSL_GUARDED_BY(mutex_) = false;
  bool dropped_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

Call::Call(grpc::GenericStub& stub, const std::string& rpc_path,
           const std::vector<Header>& metadata, std::vector<std::string> requests,
           std::optional<std::chrono::nanoseconds> timeout)
    : reactor_(std::make_shared<Reactor>(std::move(requests))) {
  for (const Header& entry : metadata) reactor_->context.AddMetadata(entry.name, entry.value);
  if (timeout && *timeout < kFarAway) {
    reactor_->context.set_deadline(
        std::chrono::system_clock::now() +
        std::chrono::duration_cast<std::chrono::system_clock::duration>(*timeout));
  }
  reactor_->Start(stub, rpc_path, reactor_);
}

Call::~Call() { reactor_->Drop(); }

Call::Event Call::Next(std::chrono::milliseconds wait) { return reactor_->Next(wait); }

const CallStatus& Call::status() const { return reactor_->call_status; }

std::vector<Header> Call::InitialMetadata() const {
  return ToHeaders(reactor_->context.GetServerInitialMetadata());
}

std::vector<Header> Call::TrailingMetadata() const {
  return ToHeaders(reactor_->context.GetServerTrailingMetadata());
}

}  // namespace krypton::transcode
