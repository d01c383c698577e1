// Blocks for entries: pages of 16 KiB, each cut into blocks of one size, and runs of pages for
// answers above that. What a page's blocks cost is known without asking an allocator, so the budget
// is hard. Owned by a segment, under its mutex.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "cache/memory.h"

namespace cache {

class Slabs {
 public:
  static constexpr std::size_t page_size = std::size_t{16} * 1024;
  static constexpr std::size_t unit = 64;  ///< blocks begin at multiples of it
  static constexpr std::size_t block_min = 128;
  static constexpr std::size_t run_pages_max = 5;  ///< 80 KiB: 64 KiB of message, its TTL offsets
  static constexpr std::size_t page_classes = 26;
  static constexpr std::size_t classes = page_classes + run_pages_max - 1;

  /// Octets of blocks by class: steps of 64 up to 1 KiB, then a page's even parts, then runs of 2
  /// to 5 pages.
  static constexpr std::array<std::uint32_t, classes> block_sizes{
      128,  192,   256,           320,           384,           448,          512,  576,
      640,  704,   768,           832,           896,           960,          1024, 1152,
      1344, 1600,  2048,          2304,          2688,          3264,         4096, 5440,
      8192, 16384, 2 * page_size, 3 * page_size, 4 * page_size, 5 * page_size};

  struct Page {
    std::uint32_t next;  ///< in the list of free pages, or of a class's pages that have room
    std::uint32_t previous;
    std::uint8_t size_class;  ///< or page_free, page_inside_run
    std::uint8_t unused;
    std::uint16_t used;  ///< blocks taken
    std::uint32_t reserved;
    std::array<std::uint64_t, 2> taken;  ///< which
  };
  static_assert(sizeof(Page) == 32);

  /// `memory` is zeroed; descriptors of pages come first in it, then pages.
  Slabs(std::byte* memory, std::size_t size);

  /// The smallest class that holds `size`; `classes` when none does.
  static std::size_t class_for(std::size_t size);

  /// A block, or nullptr when there is no room without freeing some.
  void* take(std::size_t size_class);
  void give_back(void* block);

  [[nodiscard]] std::size_t class_of(const void* block) const {
    return pages_[page_of(block)].size_class;
  }
  [[nodiscard]] std::uint32_t page_of(const void* block) const {
    return static_cast<std::uint32_t>((static_cast<const std::byte*>(block) - first_page_) /
                                      page_size);
  }
  [[nodiscard]] std::uint32_t pages() const { return pages_count_; }

  /// Calls `visit(block)` for every block taken in `count` pages from `first`, a run that begins
  /// before them included.
  template <class Visit>
  void each_block(std::uint32_t first, std::uint32_t count, Visit&& visit);

  /// The same for blocks that begin in the page.
  template <class Visit>
  void each_block_of(std::uint32_t page, Visit&& visit) const;

  /// Octets that have ever been cut into blocks, and their descriptors: what is resident.
  [[nodiscard]] std::uint64_t octets() const { return cut_ * (page_size + sizeof(Page)); }

 private:
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  static constexpr std::uint8_t page_free = 0xff;
  static constexpr std::uint8_t page_inside_run = 0xfe;

  [[nodiscard]] std::byte* page_data(std::uint32_t page) const {
    return first_page_ + std::size_t{page} * page_size;
  }
  [[nodiscard]] static std::uint32_t blocks_in_page(std::size_t size_class) {
    return static_cast<std::uint32_t>(page_size / block_sizes[size_class]);
  }
  std::uint32_t free_page();
  std::uint32_t cut(std::uint32_t count);
  void* take_run(std::size_t size_class);
  [[nodiscard]] std::uint32_t free_run(std::uint32_t count);
  void release_page(std::uint32_t page);
  void link(std::uint32_t& head, std::uint32_t page);
  void unlink(std::uint32_t& head, std::uint32_t page);

  Page* pages_;
  std::byte* first_page_;
  std::uint32_t pages_count_;
  std::uint32_t cut_ = 0;      ///< pages from here on were never used and are not resident
  std::byte* settled_;         ///< huge pages are preferred below it
  std::uint32_t free_ = none;  ///< pages below it without blocks
  std::array<std::uint32_t, page_classes> with_room_;
};

template <class Visit>
void Slabs::each_block(std::uint32_t first, std::uint32_t count, Visit&& visit) {
  while (pages_[first].size_class == page_inside_run) {
    --first;
    ++count;
  }
  for (std::uint32_t page = first; page < first + count; ++page) each_block_of(page, visit);
}

template <class Visit>
void Slabs::each_block_of(std::uint32_t page, Visit&& visit) const {
  if (page >= cut_) return;
  const std::uint8_t size_class = pages_[page].size_class;
  if (size_class >= classes) return;
  for (std::size_t half = 0; half < 2; ++half) {
    for (std::uint64_t bits = pages_[page].taken[half]; bits != 0; bits &= bits - 1) {
      const std::size_t block = half * 64 + static_cast<std::size_t>(std::countr_zero(bits));
      visit(static_cast<void*>(page_data(page) + block * block_sizes[size_class]));
    }
  }
}

}  // namespace cache
