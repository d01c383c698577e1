// Slots of pages for the sessions of nghttp2 and their frame buffers.
#include "transports/http2/memory.h"

#include <sys/mman.h>

#include <cstring>
#include <new>
#include <utility>

namespace transports::http2 {

Memory::Memory() : functions_(library_functions<nghttp2_mem>(*this)) {}

Memory::~Memory() {
  for (void* slab : slabs_) ::munmap(slab, slot_size * slots_of_slab);
}

void* Memory::allocate(std::size_t size) {
  if (size >= frame_buffer_min && size <= frame_buffer_max) return take_frame_buffer();
  if (size > front_min && size <= front_max && fronted_ == nullptr) return take_front();
  return blocks_.allocate(size);
}

/// A slot begins with the head of its front: its size is 0 while that is free, and `next` is not
/// null while the frame buffer is taken.
void Memory::release(void* block) {
  const std::size_t size = block == nullptr ? 0 : LibraryMemory::size_of(block);
  if (size == frame_buffer_max) {
    Head* const slot = static_cast<Head*>(block) - 1 - (front_size / sizeof(Head));
    slot->next = nullptr;
    if (slot->size == 0) give_back(slot);
  } else if (size == front_max) {
    Head* const slot = static_cast<Head*>(block) - 1;
    slot->size = 0;
    if (slot == fronted_) fronted_ = nullptr;
    if (slot->next == nullptr) give_back(slot);
  } else {
    blocks_.release(block);
  }
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

void* Memory::take_front() {
  fronted_ = take_slot();
  if (fronted_ == nullptr) return nullptr;
  fronted_->size = front_max;
  return fronted_ + 1;
}

void* Memory::take_frame_buffer() {
  Head* const slot = fronted_ != nullptr ? std::exchange(fronted_, nullptr) : take_slot();
  if (slot == nullptr) return nullptr;
  slot->next = slot;
  auto* const head = new (slot + (front_size / sizeof(Head))) Head{};
  head->size = frame_buffer_max;
  return head + 1;
}

/// A slab's pages become memory as they are touched; a free slot has none.
Memory::Head* Memory::take_slot() {
  if (free_slots_.empty()) {
    void* const slab = ::mmap(nullptr, slot_size * slots_of_slab, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slab == MAP_FAILED) return nullptr;
    ::madvise(slab, slot_size * slots_of_slab, MADV_NOHUGEPAGE);
    slabs_.push_back(slab);
    free_slots_.reserve(slabs_.size() * slots_of_slab);
    for (std::size_t i = slots_of_slab; i-- > 0;)
      free_slots_.push_back(static_cast<std::byte*>(slab) + (i * slot_size));
  }
  auto* const slot = new (free_slots_.back()) Head{};
  free_slots_.pop_back();
  return slot;
}

void Memory::give_back(Head* slot) {
  ::madvise(slot, slot_size, MADV_DONTNEED);
  free_slots_.push_back(slot);  // never grows here: it has room for every slot
}

}  // namespace transports::http2
