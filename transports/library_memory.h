// The memory of libraries that are written in C (nghttp2, nghttp3, ngtcp2): blocks are recycled by
// their size, so that a warm worker asks the heap for nothing. Owned by a worker, or by an
// upstream; one thread. Outlives whatever is made with it.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <limits>

namespace transports {

class LibraryMemory {
 public:
  LibraryMemory() = default;
  ~LibraryMemory();
  LibraryMemory(const LibraryMemory&) = delete;
  LibraryMemory& operator=(const LibraryMemory&) = delete;

  /// As malloc(), free() and realloc().
  void* allocate(std::size_t size);
  void release(void* block);
  void* resize(void* block, std::size_t size);
  /// What a block has room for.
  static std::size_t size_of(const void* block) { return head_of(block)->size; }

  /// Blocks that were asked of the heap, and octets kept for the next who asks: for tests.
  [[nodiscard]] std::size_t heap_blocks() const { return heap_blocks_; }
  [[nodiscard]] std::size_t kept() const { return kept_; }

  struct alignas(16) Head {
    std::size_t size;
    Head* next;  // while it is kept
  };

 private:
  static const Head* head_of(const void* block) { return static_cast<const Head*>(block) - 1; }

  static constexpr std::size_t step = 64;
  static constexpr std::size_t recycled_max = 4096;
  static constexpr std::size_t kept_max = std::size_t{2} * 1024 * 1024;

  std::array<Head*, (recycled_max / step) + 1> free_{};
  std::size_t heap_blocks_ = 0;
  std::size_t kept_ = 0;
};

/// `memory` as such a library wants it; their structures differ by name alone.
template <class Functions, class Memory>
Functions library_functions(Memory& memory) {
  return {&memory,
          [](std::size_t size, void* data) { return static_cast<Memory*>(data)->allocate(size); },
          [](void* block, void* data) { static_cast<Memory*>(data)->release(block); },
          [](std::size_t count, std::size_t size, void* data) -> void* {
            if (size != 0 && count > std::numeric_limits<std::size_t>::max() / size) return nullptr;
            void* const block = static_cast<Memory*>(data)->allocate(count * size);
            if (block != nullptr) std::memset(block, 0, count * size);
            return block;
          },
          [](void* block, std::size_t size, void* data) {
            return static_cast<Memory*>(data)->resize(block, size);
          }};
}

}  // namespace transports
