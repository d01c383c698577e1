// Blocks with a head before them, in lists by size. What is kept is poisoned, so that the address
// sanitizer finds what is used after its release all the same.
#include "transports/library_memory.h"

#include <sanitizer/asan_interface.h>

#include <cstdlib>

namespace transports {

LibraryMemory::~LibraryMemory() {
  for (Head* head : free_) {
    while (head != nullptr) {
      Head* const next = head->next;
      ASAN_UNPOISON_MEMORY_REGION(head + 1, head->size);
      std::free(head);
      head = next;
    }
  }
}

void* LibraryMemory::allocate(std::size_t size) {
  const std::size_t row = (size + step - 1) / step;
  if (row < free_.size() && free_[row] != nullptr) {
    Head* const head = free_[row];
    free_[row] = head->next;
    kept_ -= head->size;
    ASAN_UNPOISON_MEMORY_REGION(head + 1, head->size);
    return head + 1;
  }
  ++heap_blocks_;
  auto* const head = static_cast<Head*>(std::malloc(sizeof(Head) + (row * step)));
  if (head == nullptr) return nullptr;
  head->size = row * step;
  return head + 1;
}

void LibraryMemory::release(void* block) {
  if (block == nullptr) return;
  Head* const head = static_cast<Head*>(block) - 1;
  if (head->size > recycled_max || kept_ + head->size > kept_max) return std::free(head);
  head->next = free_[head->size / step];
  free_[head->size / step] = head;
  kept_ += head->size;
  ASAN_POISON_MEMORY_REGION(block, head->size);
}

void* LibraryMemory::resize(void* block, std::size_t size) {
  if (block == nullptr) return allocate(size);
  const std::size_t had = size_of(block);
  if (size <= had) return block;
  void* const made = allocate(size);
  if (made == nullptr) return nullptr;
  std::memcpy(made, block, had);
  release(block);
  return made;
}

}  // namespace transports
