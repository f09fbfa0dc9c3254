#include "common/http/buffer.h"

namespace krypton::http {
namespace {

constexpr size_t kMaxStringBytes = 16 * 1024;

}  // namespace

BufferPool::~BufferPool() {
  for (char* memory : free_) ::operator delete(memory);
}

char* BufferPool::Take() {
  if (free_.empty()) return static_cast<char*>(::operator new(kBufferBytes));
  char* memory = free_.back();
  free_.pop_back();
  return memory;
}

void BufferPool::Give(char* memory) {
  if (free_.size() >= kMaxFree) {
    ::operator delete(memory);
  } else {
    free_.push_back(memory);
  }
}

std::string BufferPool::TakeString() {
  if (strings_.empty()) return {};
  std::string text = std::move(strings_.back());
  strings_.pop_back();
  text.clear();
  return text;
}

void BufferPool::GiveString(std::string text) {
  if (strings_.size() < kMaxFree && text.capacity() <= kMaxStringBytes) {
    strings_.push_back(std::move(text));
  }
}

}  // namespace krypton::http
