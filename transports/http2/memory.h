// The memory of nghttp2: blocks are recycled by their size, so that a warm worker asks the heap for
// nothing; the 16 KiB buffer that each session has for frames lies on pages of its own, of which
// only the first is ever touched where frames are small. Owned by a worker; one thread. Outlives
// the sessions that are made with it.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstddef>
#include <vector>

namespace transports::http2 {

class Memory {
 public:
  Memory();
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  nghttp2_mem* functions() { return &functions_; }
  /// Blocks that were asked of the heap, and octets kept for the next who asks: for tests.
  [[nodiscard]] std::size_t heap_blocks() const { return heap_blocks_; }
  [[nodiscard]] std::size_t kept() const { return kept_; }

 private:
  struct Thunks;
  struct alignas(16) Head {
    std::size_t size;  // what the block has room for
    Head* next;        // while it is kept
  };

  void* allocate(std::size_t size);
  void release(void* block);
  void* resize(void* block, std::size_t size);
  Head* take_pages();

  static constexpr std::size_t step = 64;
  static constexpr std::size_t recycled_max = 4096;
  static constexpr std::size_t kept_max = std::size_t{2} * 1024 * 1024;
  // A page of header and frames, and room for the largest frame.
  static constexpr std::size_t page = 4096;
  static constexpr std::size_t pages_size = 5 * page;
  static constexpr std::size_t frame_buffer_min = 16384;
  static constexpr std::size_t frame_buffer_max = pages_size - sizeof(Head);
  static constexpr std::size_t slots_of_slab = 64;

  nghttp2_mem functions_;
  std::array<Head*, (recycled_max / step) + 1> free_{};
  std::vector<void*> slabs_;
  std::vector<void*> free_pages_;
  std::size_t heap_blocks_ = 0;
  std::size_t kept_ = 0;
};

}  // namespace transports::http2
