// Address space for the cache, zeroed and resident only where it was touched: a budget costs
// nothing until answers fill it. Owned by AnswerCache, ends with it.
#pragma once

#include <cstddef>

namespace cache {

class Memory {
 public:
  /// Throws std::system_error when the kernel gives none. `size` octets, aligned to a page of the
  /// machine.
  explicit Memory(std::size_t size);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::byte* data_;
  std::size_t size_;
};

/// Says that the octets are in use for good: the kernel may make huge pages of them by and by,
/// which saves a look-up in a large cache a quarter of its time (fewer TLB misses). Never before
/// they are in use, for huge pages would then make megabytes resident, and hold up the thread that
/// touches them.
void prefer_huge_pages(void* at, std::size_t size);
inline constexpr std::size_t huge_page_size = std::size_t{2} * 1024 * 1024;

/// For the address sanitizer, which takes a use of forbidden octets for a use after free; nothing
/// elsewhere.
void forbid_use(const void* at, std::size_t size);
void allow_use(const void* at, std::size_t size);

}  // namespace cache
