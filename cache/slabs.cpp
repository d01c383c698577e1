// Pages, blocks and runs.
#include "cache/slabs.h"

#include <algorithm>

namespace cache {
namespace {

/// Class by size in units of 64 octets, up to a page.
constexpr auto class_by_units = [] {
  std::array<std::uint8_t, Slabs::page_size / Slabs::unit + 1> table{};
  std::uint8_t size_class = 0;
  for (std::size_t units = 0; units < table.size(); ++units) {
    while (Slabs::block_sizes[size_class] < units * Slabs::unit) ++size_class;
    table[units] = size_class;
  }
  return table;
}();

static_assert(Slabs::block_sizes[Slabs::page_classes - 1] == Slabs::page_size);
static_assert(std::ranges::is_sorted(Slabs::block_sizes));
static_assert(std::ranges::all_of(Slabs::block_sizes,
                                  [](std::uint32_t size) { return size % Slabs::unit == 0; }));

}  // namespace

Slabs::Slabs(std::byte* memory, std::size_t size)
    : pages_(reinterpret_cast<Page*>(memory)),
      pages_count_(static_cast<std::uint32_t>((size - std::min(size, block_min)) /
                                              (page_size + sizeof(Page)))) {
  with_room_.fill(none);
  // Pages never begin at 0, which segments take for "none"; blocks of 128 octets are a pair of
  // cache lines.
  first_page_ = memory + (pages_count_ * sizeof(Page) + block_min - 1) / block_min * block_min;
  const std::size_t beyond = reinterpret_cast<std::uintptr_t>(memory) % huge_page_size;
  settled_ = memory + (beyond == 0 ? 0 : huge_page_size - beyond);
}

std::size_t Slabs::class_for(std::size_t size) {
  if (size <= page_size) return class_by_units[(size + unit - 1) / unit];
  const std::size_t run = (size + page_size - 1) / page_size;
  return run <= run_pages_max ? page_classes + run - 2 : classes;
}

void* Slabs::take(std::size_t size_class) {
  if (size_class >= page_classes) return take_run(size_class);
  std::uint32_t page = with_room_[size_class];
  if (page == none) {
    page = free_page();
    if (page == none) return nullptr;
    pages_[page].size_class = static_cast<std::uint8_t>(size_class);
    link(with_room_[size_class], page);
  }
  Page& cut = pages_[page];
  const std::size_t half = cut.taken[0] == ~std::uint64_t{0} ? 1 : 0;
  const auto bit = static_cast<std::size_t>(std::countr_one(cut.taken[half]));
  cut.taken[half] |= std::uint64_t{1} << bit;
  if (++cut.used == blocks_in_page(size_class)) unlink(with_room_[size_class], page);
  std::byte* const block = page_data(page) + (half * 64 + bit) * block_sizes[size_class];
  allow_use(block, block_sizes[size_class]);
  return block;
}

void Slabs::give_back(void* block) {
  const std::uint32_t page = page_of(block);
  Page& cut = pages_[page];
  const std::size_t size_class = cut.size_class;
  forbid_use(block, block_sizes[size_class]);
  if (size_class >= page_classes) {
    const auto run = static_cast<std::uint32_t>(block_sizes[size_class] / page_size);
    for (std::uint32_t part = 0; part < run; ++part) release_page(page + part);
    return;
  }
  const auto index = static_cast<std::size_t>(static_cast<std::byte*>(block) - page_data(page)) /
                     block_sizes[size_class];
  cut.taken[index / 64] &= ~(std::uint64_t{1} << index % 64);
  if (cut.used-- == blocks_in_page(size_class)) link(with_room_[size_class], page);
  if (cut.used != 0) return;
  unlink(with_room_[size_class], page);
  release_page(page);
}

std::uint32_t Slabs::free_page() {
  if (free_ != none) {
    const std::uint32_t page = free_;
    unlink(free_, page);
    return page;
  }
  return cut_ == pages_count_ ? none : cut(1);
}

void* Slabs::take_run(std::size_t size_class) {
  const auto count = static_cast<std::uint32_t>(block_sizes[size_class] / page_size);
  const std::uint32_t first = free_run(count);
  if (first == none) return nullptr;
  for (std::uint32_t page = first; page < first + count; ++page)
    pages_[page].size_class = page_inside_run;
  pages_[first].size_class = static_cast<std::uint8_t>(size_class);
  pages_[first].taken[0] = 1;
  pages_[first].used = 1;
  allow_use(page_data(first), block_sizes[size_class]);
  return page_data(first);
}

/// Neighbouring pages without blocks, no longer listed as free; a search, for answers above 16 KiB
/// are rare.
std::uint32_t Slabs::free_run(std::uint32_t count) {
  std::uint32_t found = 0;
  for (std::uint32_t page = 0; page < cut_ && free_ != none; ++page) {
    found = pages_[page].size_class == page_free ? found + 1 : 0;
    if (found < count) continue;
    const std::uint32_t first = page + 1 - count;
    for (std::uint32_t part = first; part <= page; ++part) unlink(free_, part);
    return first;
  }
  return pages_count_ - cut_ < count ? none : cut(count);
}

/// The next pages that were never used.
std::uint32_t Slabs::cut(std::uint32_t count) {
  cut_ += count;
  while (page_data(cut_) - settled_ >= static_cast<std::ptrdiff_t>(huge_page_size)) {
    prefer_huge_pages(settled_, huge_page_size);
    settled_ += huge_page_size;
  }
  return cut_ - count;
}

void Slabs::release_page(std::uint32_t page) {
  pages_[page].size_class = page_free;
  pages_[page].used = 0;
  pages_[page].taken = {};
  link(free_, page);
}

void Slabs::link(std::uint32_t& head, std::uint32_t page) {
  pages_[page].previous = none;
  pages_[page].next = head;
  if (head != none) pages_[head].previous = page;
  head = page;
}

void Slabs::unlink(std::uint32_t& head, std::uint32_t page) {
  const Page& gone = pages_[page];
  (gone.previous == none ? head : pages_[gone.previous].next) = gone.next;
  if (gone.next != none) pages_[gone.next].previous = gone.previous;
}

}  // namespace cache
