// Buffer and BufferPool: the memory into which connections read. A buffer is leased from the pool
// of its worker when bytes are there and given back when they are consumed, so that a connection
// that waits holds none, and a busy worker uses the same warm one again and again.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace krypton::http {

class BufferPool {
 public:
  // Large enough to take what a socket's receive buffer usually holds in one call.
  static constexpr size_t kBufferBytes = 64 * 1024;

  ~BufferPool();

  char* Take();
  void Give(char* memory);
  std::string TakeString();
  void GiveString(std::string text);

 private:
  static constexpr size_t kMaxFree = 16;  // 1 MiB a worker stays warm.

  std::vector<char*> free_;
  std::vector<std::string> strings_;
};

// Unconsumed input of a connection: bytes [begin, end) of leased memory, or nothing.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)),
        memory_(std::exchange(other.memory_, nullptr)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      Release();
      pool_ = std::exchange(other.pool_, nullptr);
      memory_ = std::exchange(other.memory_, nullptr);
      begin_ = std::exchange(other.begin_, 0);
      end_ = std::exchange(other.end_, 0);
    }
    return *this;
  }
  ~Buffer() { Release(); }

  std::string_view data() const { return {memory_ + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }

  // Room to read into; leases memory when there is none. Requires: empty().
  std::pair<char*, size_t> Prepare(BufferPool& pool) {
    if (!memory_) {
      pool_ = &pool;
      memory_ = pool.Take();
    }
    begin_ = end_ = 0;
    return {memory_, BufferPool::kBufferBytes};
  }
  void Commit(size_t size) { end_ = size; }
  void Consume(size_t size) { begin_ += size; }
  void ReleaseIfEmpty() {
    if (empty()) Release();
  }
  void Release() {
    if (memory_) pool_->Give(memory_);
    memory_ = nullptr;
    begin_ = end_ = 0;
  }

 private:
  BufferPool* pool_ = nullptr;
  char* memory_ = nullptr;
  size_t begin_ = 0;
  size_t end_ = 0;
};

// A string from the pool, to build a head in; goes back with its memory.
class ScratchString {
 public:
  explicit ScratchString(BufferPool& pool) : pool_(pool), text_(pool.TakeString()) {}
  ScratchString(const ScratchString&) = delete;
  ScratchString& operator=(const ScratchString&) = delete;
  ~ScratchString() { pool_.GiveString(std::move(text_)); }

  std::string& operator*() { return text_; }
  std::string* operator->() { return &text_; }

 private:
  BufferPool& pool_;
  std::string text_;
};

}  // namespace krypton::http
