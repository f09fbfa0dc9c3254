#include "common/http/task.h"

#include <array>
#include <new>

namespace krypton::http::internal {
namespace {

constexpr std::size_t kGranule = 32;
constexpr std::size_t kClasses = 64;     // Frames up to 2 KiB are recycled.
constexpr int kMaxFramesPerClass = 256;  // Of a thread: what a burst leaves behind is bounded.

struct FreeFrameNode {
  FreeFrameNode* next;
};

// The free frames of a thread, by size.
struct FramePool {
  std::array<FreeFrameNode*, kClasses> free{};
  std::array<int, kClasses> count{};

  ~FramePool() {
    for (FreeFrameNode*& list : free) {
      while (list) ::operator delete(std::exchange(list, list->next));
    }
    count.fill(kMaxFramesPerClass);  // A frame that is freed later goes straight back.
  }
};

thread_local FramePool pool;

}  // namespace

void* AllocateFrame(std::size_t size) {
  const std::size_t size_class = (size - 1) / kGranule;
  if (size_class >= kClasses) return ::operator new(size);
  FreeFrameNode*& list = pool.free[size_class];
  if (!list) return ::operator new((size_class + 1) * kGranule);
  --pool.count[size_class];
  return std::exchange(list, list->next);
}

void FreeFrame(void* frame, std::size_t size) {
  const std::size_t size_class = (size - 1) / kGranule;
  if (size_class >= kClasses || pool.count[size_class] >= kMaxFramesPerClass) {
    ::operator delete(frame);
    return;
  }
  auto* node = static_cast<FreeFrameNode*>(frame);
  node->next = std::exchange(pool.free[size_class], node);
  ++pool.count[size_class];
}

}  // namespace krypton::http::internal
