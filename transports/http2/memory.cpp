// Recycling nghttp2's blocks.
#include "transports/http2/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

namespace transports::http2 {

/// nghttp2's view of it.
struct Memory::Thunks {
  static Memory& self(void* data) { return *static_cast<Memory*>(data); }
  static void* malloc(std::size_t size, void* data) { return self(data).allocate(size); }
  static void free(void* block, void* data) { self(data).release(block); }
  static void* realloc(void* block, std::size_t size, void* data) {
    return self(data).resize(block, size);
  }
  static void* calloc(std::size_t count, std::size_t size, void* data) {
    if (size != 0 && count > std::numeric_limits<std::size_t>::max() / size) return nullptr;
    void* const block = self(data).allocate(count * size);
    if (block != nullptr) std::memset(block, 0, count * size);
    return block;
  }
};

Memory::Memory()
    : functions_{this, &Thunks::malloc, &Thunks::free, &Thunks::calloc, &Thunks::realloc} {}

Memory::~Memory() {
  for (Head* head : free_) {
    while (head != nullptr) {
      Head* const next = head->next;
      std::free(head);
      head = next;
    }
  }
  for (void* slab : slabs_) ::munmap(slab, pages_size * slots_of_slab);
}

void* Memory::allocate(std::size_t size) {
  Head* head = nullptr;
  if (size >= frame_buffer_min && size <= frame_buffer_max) {
    head = take_pages();
  } else {
    const std::size_t row = (size + step - 1) / step;
    if (row < free_.size() && free_[row] != nullptr) {
      head = free_[row];
      free_[row] = head->next;
      kept_ -= row * step;
      return head + 1;
    }
    ++heap_blocks_;
    head = static_cast<Head*>(std::malloc(sizeof(Head) + (row * step)));
    if (head != nullptr) head->size = row * step;
  }
  return head == nullptr ? nullptr : head + 1;
}

void Memory::release(void* block) {
  if (block == nullptr) return;
  Head* const head = static_cast<Head*>(block) - 1;
  if (head->size == frame_buffer_max) {
    ::madvise(head, pages_size, MADV_DONTNEED);
    free_pages_.push_back(head);  // never grows here: it has room for every slot
    return;
  }
  if (head->size > recycled_max || kept_ + head->size > kept_max) return std::free(head);
  head->next = free_[head->size / step];
  free_[head->size / step] = head;
  kept_ += head->size;
}

void* Memory::resize(void* block, std::size_t size) {
  if (block == nullptr) return allocate(size);
  const std::size_t had = (static_cast<Head*>(block) - 1)->size;
  if (size <= had) return block;
  void* const made = allocate(size);
  if (made == nullptr) return nullptr;
  std::memcpy(made, block, had);
  release(block);
  return made;
}

/// A slab's pages become memory as they are touched.
Memory::Head* Memory::take_pages() {
  if (free_pages_.empty()) {
    void* const slab = ::mmap(nullptr, pages_size * slots_of_slab, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slab == MAP_FAILED) return nullptr;
    ::madvise(slab, pages_size * slots_of_slab, MADV_NOHUGEPAGE);
    slabs_.push_back(slab);
    free_pages_.reserve(slabs_.size() * slots_of_slab);
    for (std::size_t i = slots_of_slab; i-- > 0;)
      free_pages_.push_back(static_cast<std::byte*>(slab) + (i * pages_size));
  }
  void* const slot = free_pages_.back();
  free_pages_.pop_back();
  auto* const head = new (slot) Head;
  head->size = frame_buffer_max;
  return head;
}

}  // namespace transports::http2
