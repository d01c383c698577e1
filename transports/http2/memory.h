// The memory of nghttp2: recycled as every library's; the 16 KiB buffer that each session has for
// frames lies on pages of its own, of which only the first is ever touched where frames are small,
// and the session itself lies in front of it on the same page. Owned by a worker; one thread.
// Outlives the sessions that are made with it.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <vector>

#include "transports/library_memory.h"

namespace transports::http2 {

class Memory {
 public:
  Memory();
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  nghttp2_mem* functions() { return &functions_; }
  /// As LibraryMemory's.
  [[nodiscard]] std::size_t heap_blocks() const { return blocks_.heap_blocks(); }
  [[nodiscard]] std::size_t kept() const { return blocks_.kept(); }

  // ---- for nghttp2
  void* allocate(std::size_t size);
  void release(void* block);
  void* resize(void* block, std::size_t size);

 private:
  using Head = LibraryMemory::Head;
  void* take_front();
  void* take_frame_buffer();
  Head* take_slot();
  void give_back(Head* slot);

  // A slot has in front a session, and behind it frames: small ones on the same page. Blocks in it
  // are known by their sizes, which no others have.
  static constexpr std::size_t page = 4096;
  static constexpr std::size_t slot_size = 5 * page;
  static constexpr std::size_t front_size = 3072;
  static constexpr std::size_t front_min = 2048;
  static constexpr std::size_t front_max = front_size - sizeof(Head);
  static constexpr std::size_t frame_buffer_min = 16384;
  static constexpr std::size_t frame_buffer_max = slot_size - front_size - sizeof(Head);
  static constexpr std::size_t slots_of_slab = 64;

  nghttp2_mem functions_;
  LibraryMemory blocks_;
  std::vector<void*> slabs_;
  std::vector<void*> free_slots_;
  Head* fronted_ = nullptr;  // the slot whose session has no frame buffer yet
};

}  // namespace transports::http2
