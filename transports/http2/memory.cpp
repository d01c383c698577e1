// Pages for the frame buffers of nghttp2.
#include "transports/http2/memory.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace transports::http2 {

Memory::Memory() : functions_(library_functions<nghttp2_mem>(*this)) {}

Memory::~Memory() {
  for (void* slab : slabs_) ::munmap(slab, pages_size * slots_of_slab);
}

void* Memory::allocate(std::size_t size) {
  return size >= frame_buffer_min && size <= frame_buffer_max ? take_pages()
                                                              : blocks_.allocate(size);
}

void Memory::release(void* block) {
  if (block == nullptr || LibraryMemory::size_of(block) != frame_buffer_max)
    return blocks_.release(block);
  void* const slot = static_cast<Head*>(block) - 1;
  ::madvise(slot, pages_size, MADV_DONTNEED);
  free_pages_.push_back(slot);  // never grows here: it has room for every slot
}

void* Memory::resize(void* block, std::size_t size) {
  if (block == nullptr) return allocate(size);
  const std::size_t had = LibraryMemory::size_of(block);
  if (size <= had) return block;
  void* const made = allocate(size);
  if (made == nullptr) return nullptr;
  std::memcpy(made, block, had);
  release(block);
  return made;
}

/// A slab's pages become memory as they are touched.
void* Memory::take_pages() {
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
  return head + 1;
}

}  // namespace transports::http2
