// A stub for tests, not TFLM: see README.md of this folder.
#pragma once

#include "tensorflow/lite/micro/stub_common.h"

TFLM_STUB_BEGIN

enum class MemoryPlannerType { kGreedy, kLinear };

// Stands at the front of the arena and hands out the rest, a share for each interpreter.
class MicroAllocator {
 public:
  static MicroAllocator* Create(std::uint8_t* tensor_arena, std::size_t arena_size,
                                MemoryPlannerType = MemoryPlannerType::kGreedy) {
    if (arena_size < kOwnBytes) return nullptr;
    auto* allocator = reinterpret_cast<MicroAllocator*>(tensor_arena);
    allocator->next_ = tensor_arena + kOwnBytes;
    allocator->left_ = arena_size - kOwnBytes;
    allocator->used_ = kOwnBytes;
    return allocator;
  }

  std::uint8_t* stub_allocate(std::size_t bytes) {
    bytes = (bytes + 15) / 16 * 16;
    if (bytes > left_) return nullptr;
    std::uint8_t* at = next_;
    next_ += bytes;
    left_ -= bytes;
    used_ += bytes;
    return at;
  }
  std::size_t stub_used() const { return used_; }

 private:
  static constexpr std::size_t kOwnBytes = 32;
  std::uint8_t* next_;
  std::size_t left_, used_;
};

}  // namespace tflite
