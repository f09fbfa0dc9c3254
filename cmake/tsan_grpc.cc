// Shows ThreadSanitizer what Debian's gRPC and Abseil, which are compiled without it, hand from one
// thread to another: by locks (they lock by the public functions of absl::Mutex and absl::CondVar),
// and by completion queues (gRPC for C++ gives its batches to the core by the core's public
// functions, and takes the tags of those that are done). What an executable defines goes before
// what a library defines. So a race in a handler of ours is reported, instead of suppressed with
// all that has gRPC on its stack. Part of every executable of the preset `tsan`, and of no other.
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <grpcpp/support/server_callback.h>
#include <sanitizer/tsan_interface.h>

#include <string>
#include <typeinfo>

#include "absl/synchronization/mutex.h"

// Abseil's namespaces, mangled, as Debian names the inner one.
#define KRYPTON_ABSEIL "N4absl7debian3"

namespace absl {
ABSL_NAMESPACE_BEGIN
namespace {

// The library's own function; `end` is what follows the class in its mangled name.
template <class Function>
Function* Original(const std::type_info& type, const char* end) {
  std::string name = type.name();  // N...5MutexE
  name = "_Z" + name.substr(0, name.size() - 1) + end;
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name.c_str()));
}

// A wait gives the lock away and takes it again.
class Waiting {
 public:
  explicit Waiting(Mutex* mutex) : mutex_(mutex) { __tsan_release(mutex_); }
  ~Waiting() { __tsan_acquire(mutex_); }

 private:
  Mutex* const mutex_;
};

}  // namespace

void Mutex::Lock() {
  static auto* const original = Original<void(Mutex*)>(typeid(Mutex), "4LockEv");
  original(this);
  __tsan_acquire(this);
}

void Mutex::Unlock() {
  static auto* const original = Original<void(Mutex*)>(typeid(Mutex), "6UnlockEv");
  __tsan_release(this);
  original(this);
}

bool Mutex::TryLock() {
  static auto* const original = Original<bool(Mutex*)>(typeid(Mutex), "7TryLockEv");
  const bool locked = original(this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void Mutex::ReaderLock() {
  static auto* const original = Original<void(Mutex*)>(typeid(Mutex), "10ReaderLockEv");
  original(this);
  __tsan_acquire(this);
}

void Mutex::ReaderUnlock() {
  static auto* const original = Original<void(Mutex*)>(typeid(Mutex), "12ReaderUnlockEv");
  __tsan_release(this);
  original(this);
}

void CondVar::Wait(Mutex* mutex) {
  static auto* const original =
      Original<void(CondVar*, Mutex*)>(typeid(CondVar), "4WaitEPNS0_5MutexE");
  const Waiting waiting(mutex);
  original(this, mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static auto* const original = Original<bool(CondVar*, Mutex*, Duration)>(
      typeid(CondVar), "15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  const Waiting waiting(mutex);
  return original(this, mutex, timeout);
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static auto* const original = Original<bool(CondVar*, Mutex*, Time)>(
      typeid(CondVar), "16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  const Waiting waiting(mutex);
  return original(this, mutex, deadline);
}

ABSL_NAMESPACE_END
}  // namespace absl

namespace {

template <class Function>
Function* OriginalOf(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag,
                                      void* reserved) {
  static auto* const original =
      OriginalOf<decltype(grpc_call_start_batch)>("grpc_call_start_batch");
  __tsan_release(tag);
  return original(call, ops, count, tag, reserved);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline,
                                      void* reserved) {
  static auto* const original =
      OriginalOf<decltype(grpc_completion_queue_next)>("grpc_completion_queue_next");
  const grpc_event event = original(queue, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag,
                                       gpr_timespec deadline, void* reserved) {
  static auto* const original =
      OriginalOf<decltype(grpc_completion_queue_pluck)>("grpc_completion_queue_pluck");
  const grpc_event event = original(queue, tag, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

// Where the core puts what is done into a queue: another thread than the one that began it may be
// there. The status is passed by its address, as all that is not trivial.
void EndOperation(grpc_completion_queue* queue, void* tag, void* status, void (*done)(void*, void*),
                  void* argument, void* storage,
                  bool internal) asm("_Z14grpc_cq_end_opP21grpc_completion_queuePv" KRYPTON_ABSEIL
                                     "6StatusEPFvS1_P18grpc_cq_completionES1_S6_b");
void EndOperation(grpc_completion_queue* queue, void* tag, void* status, void (*done)(void*, void*),
                  void* argument, void* storage, bool internal) {
  static auto* const original = OriginalOf<decltype(EndOperation)>(
      "_Z14grpc_cq_end_opP21grpc_completion_queuePv" KRYPTON_ABSEIL
      "6StatusEPFvS1_P18grpc_cq_completionES1_S6_b");
  __tsan_release(tag);
  original(queue, tag, status, done, argument, storage, internal);
}

namespace {

// Stands for all calls that have ended.
int ended_calls;

}  // namespace

// A call is given back after its reactor's OnDone, and a server ends after all its calls; the one
// tells the other by an atomic count.
void grpc_call_unref(grpc_call* call) {
  static auto* const original = OriginalOf<decltype(grpc_call_unref)>("grpc_call_unref");
  __tsan_release(&ended_calls);
  original(call);
}

void grpc_server_destroy(grpc_server* server) {
  static auto* const original = OriginalOf<decltype(grpc_server_destroy)>("grpc_server_destroy");
  original(server);
  __tsan_acquire(&ended_calls);
}

namespace grpc::internal {
namespace {

// In the place of a reactor that is told of a cancellation: what it does then comes before the end.
class Cancellation final : public ServerReactor {
 public:
  Cancellation(ServerReactor& reactor, void* call) : reactor_(reactor), call_(call) {}
  void OnDone() override {}
  void OnCancel() override {
    reactor_.OnCancel();
    __tsan_release(call_);
    delete this;
  }
  bool InternalInlineable() override { return reactor_.InternalInlineable(); }

 private:
  ServerReactor& reactor_;
  void* const call_;
};

}  // namespace

void ServerCallbackCall::CallOnCancel(ServerReactor* reactor) {
  static auto* const original = OriginalOf<void(ServerCallbackCall*, ServerReactor*)>(
      "_ZN4grpc8internal18ServerCallbackCall12CallOnCancelEPNS0_13ServerReactorE");
  original(this, new Cancellation(*reactor, &callbacks_outstanding_));
}

// The last of a call's callbacks, which may be counted down in the library, ends it.
void ServerCallbackCall::ScheduleOnDone(bool inline_ondone) {
  static auto* const original = OriginalOf<void(ServerCallbackCall*, bool)>(
      "_ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb");
  __tsan_acquire(&callbacks_outstanding_);
  original(this, inline_ondone);
}

}  // namespace grpc::internal
