// The cache's memory from the kernel.
#include "cache/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SALLYPORT_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif
#endif

namespace cache {

Memory::Memory(std::size_t size) : size_(size) {
  void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED)
    throw std::system_error(errno, std::generic_category(), "no memory for the cache");
  data_ = static_cast<std::byte*>(at);
  ::madvise(at, size, MADV_NOHUGEPAGE);  // until prefer_huge_pages()
}

Memory::~Memory() {
  allow_use(data_, size_);
  ::munmap(data_, size_);
}

void prefer_huge_pages(void* at, std::size_t size) {
  // Whole pages of the machine alone; advice, and so without an error.
  const auto machine_page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin =
      (reinterpret_cast<std::uintptr_t>(at) + machine_page - 1) / machine_page * machine_page;
  const auto end = (reinterpret_cast<std::uintptr_t>(at) + size) / machine_page * machine_page;
  if (begin >= end) return;
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // NOLINT(*-int-to-ptr)
}

#ifdef SALLYPORT_ADDRESS_SANITIZER
void forbid_use(const void* at, std::size_t size) { __asan_poison_memory_region(at, size); }
void allow_use(const void* at, std::size_t size) { __asan_unpoison_memory_region(at, size); }
#else
void forbid_use(const void*, std::size_t) {}
void allow_use(const void*, std::size_t) {}
#endif

}  // namespace cache
