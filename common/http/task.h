// Task<T>: the coroutine type of everything that moves bytes. A Task is lazy (it starts when it is
// awaited or spawned), is awaited once, and runs from start to end on the worker on which it was
// started. Destroying a Task that has not started is a no-op; one that waits must not be destroyed
// from outside: ask what it waits for to end (Exchange's cancellation, Event::Set), then await it.
//
// Resumption goes through a small loop (`RunFrom`) and not through symmetric transfer, because GCC
// keeps the stack flat for the latter only when it optimises. Frames come from a pool per thread.
// This type and not asio::awaitable: no asio in headers, and a third of the cost per await.
//
// Traps of g++ 12: pass parameters by value; no `co_await` inside a conditional operator; no
// brace-initialised temporary of an aggregate in an expression with `co_await` (g++ copies it bit
// by bit: name it first); no coroutine lambda with captures unless the lambda outlives it.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

namespace krypton::http {

namespace internal {

// Memory for coroutine frames, recycled per thread.
void* AllocateFrame(std::size_t size);
void FreeFrame(void* frame, std::size_t size);

// The coroutine that runs next on this thread when the running one suspends.
inline thread_local constinit std::coroutine_handle<> next_to_run = nullptr;

// Runs `handle` and what it hands over to, until a coroutine waits for an event.
inline void RunFrom(std::coroutine_handle<> handle) {
  while (handle) {
    handle.resume();
    handle = std::exchange(next_to_run, nullptr);
  }
}

struct PromiseBase {
  static void* operator new(std::size_t size) { return AllocateFrame(size); }
  static void operator delete(void* frame, std::size_t size) { FreeFrame(frame, size); }

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> done) noexcept {
      next_to_run = done.promise().continuation;
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
  void RethrowIfFailed() const {
    if (exception) std::rethrow_exception(exception);
  }

  std::coroutine_handle<> continuation = nullptr;
  std::exception_ptr exception;
};

template <class T>
struct Promise : PromiseBase {
  template <class U>
  void return_value(U&& value) {
    result.emplace(std::forward<U>(value));
  }
  T Take() {
    RethrowIfFailed();
    return std::move(*result);
  }
  std::optional<T> result;
};

template <>
struct Promise<void> : PromiseBase {
  void return_void() noexcept {}
  void Take() { RethrowIfFailed(); }
};

}  // namespace internal

template <class T = void>
class [[nodiscard]] Task {
 public:
  struct promise_type : internal::Promise<T> {
    Task get_return_object() noexcept {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
  };

  Task() noexcept = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // Awaiting starts the task and resumes the awaiter with its value, or its exception.
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiter) noexcept {
    handle_.promise().continuation = awaiter;
    internal::next_to_run = handle_;
  }
  T await_resume() { return handle_.promise().Take(); }

  bool valid() const noexcept { return handle_ != nullptr; }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}

  std::coroutine_handle<promise_type> handle_ = nullptr;
};

}  // namespace krypton::http
