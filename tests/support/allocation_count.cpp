// The counter of allocations.
#include "tests/support/allocation_count.h"

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SALLYPORT_SANITIZER_COUNTS
#include <sanitizer/allocator_interface.h>

#include <stdexcept>
#endif
#endif

namespace {

constinit thread_local std::uint64_t allocations = 0;

}  // namespace

#ifdef SALLYPORT_SANITIZER_COUNTS

namespace {

void count_allocation(const volatile void*, std::size_t) { ++allocations; }
void ignore_free(const volatile void*) {}

const bool hooked = __sanitizer_install_malloc_and_free_hooks(count_allocation, ignore_free) != 0;

}  // namespace

std::uint64_t test::allocations_of_this_thread() {
  if (!hooked) throw std::logic_error("the sanitizer took no hook for allocations");
  return allocations;
}

#if __has_feature(thread_sanitizer)
bool test::aligned_allocations_are_counted() { return false; }
#else
bool test::aligned_allocations_are_counted() { return true; }
#endif

#else

bool test::aligned_allocations_are_counted() { return true; }

std::uint64_t test::allocations_of_this_thread() { return allocations; }

// Names are the linker's: calls of malloc arrive at __wrap_malloc, __real_malloc is the C
// library's. NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {

void* __real_malloc(std::size_t size);
void* __real_calloc(std::size_t count, std::size_t size);
void* __real_realloc(void* block, std::size_t size);
void* __real_aligned_alloc(std::size_t alignment, std::size_t size);
void* __real_memalign(std::size_t alignment, std::size_t size);
int __real_posix_memalign(void** block, std::size_t alignment, std::size_t size);

void* __wrap_malloc(std::size_t size) {
  ++allocations;
  return __real_malloc(size);
}
void* __wrap_calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return __real_calloc(count, size);
}
void* __wrap_realloc(void* block, std::size_t size) {
  ++allocations;
  return __real_realloc(block, size);
}
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __real_aligned_alloc(alignment, size);
}
void* __wrap_memalign(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __real_memalign(alignment, size);
}
int __wrap_posix_memalign(void** block, std::size_t alignment, std::size_t size) {
  ++allocations;
  return __real_posix_memalign(block, alignment, size);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier)

#endif
