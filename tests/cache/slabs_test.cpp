// Blocks: every size, no overlap, all memory comes back.
#include "cache/slabs.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <vector>

namespace cache {
namespace {

constexpr std::size_t memory_size = 1 << 20;

class SlabsTest : public ::testing::Test {
 protected:
  Memory memory{memory_size};
  Slabs slabs{memory.data(), memory_size};
};

TEST_F(SlabsTest, SmallestClassThatHoldsTheSize) {
  for (std::size_t size = 1; size <= Slabs::run_pages_max * Slabs::page_size; ++size) {
    const std::size_t size_class = Slabs::class_for(size);
    ASSERT_LT(size_class, Slabs::classes) << size;
    ASSERT_GE(Slabs::block_sizes[size_class], size);
    if (size_class != 0) {
      ASSERT_LT(Slabs::block_sizes[size_class - 1], size);
    }
  }
  EXPECT_EQ(Slabs::class_for(Slabs::run_pages_max * Slabs::page_size + 1), Slabs::classes);
}

TEST_F(SlabsTest, LargestEntryHasAClass) {
  // 65,535 octets of message, an offset for every record of 11 octets, 40 of header, 255 of text.
  EXPECT_LT(Slabs::class_for(65535 + 65535 / 11 * 2 + 40 + 255), Slabs::classes);
}

TEST_F(SlabsTest, BlocksDoNotOverlapAndAllComeBack) {
  std::mt19937 random(7);
  std::map<std::byte*, std::size_t> taken;  // and its class
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t size_class = random() % 8 == 0 ? random() % Slabs::classes : random() % 6;
    auto* const block = static_cast<std::byte*>(slabs.take(size_class));
    if (block != nullptr) {
      const std::size_t size = Slabs::block_sizes[size_class];
      ASSERT_GE(block, memory.data() + 32);
      ASSERT_LE(block + size, memory.data() + memory_size);
      ASSERT_EQ(slabs.class_of(block), size_class);
      const auto [place, fresh] = taken.emplace(block, size_class);
      ASSERT_TRUE(fresh);
      if (place != taken.begin()) {
        const auto before = std::prev(place);
        ASSERT_LE(before->first + Slabs::block_sizes[before->second], block);
      }
      if (const auto after = std::next(place); after != taken.end()) {
        ASSERT_LE(block + size, after->first);
      }
      std::memset(block, 0xee, size);
    }
    if (block == nullptr || random() % 3 == 0) {
      for (int count = 0; count < 20 && !taken.empty(); ++count) {
        const auto gone =
            std::next(taken.begin(), static_cast<std::ptrdiff_t>(random() % taken.size()));
        slabs.give_back(gone->first);
        taken.erase(gone);
      }
    }
  }
  for (const auto& [block, size_class] : taken) slabs.give_back(block);
  // All pages are free again: as many of the largest runs fit as in the beginning.
  Memory fresh_memory{memory_size};
  Slabs fresh{fresh_memory.data(), memory_size};
  std::size_t runs = 0;
  while (fresh.take(Slabs::classes - 1) != nullptr) ++runs;
  std::size_t runs_here = 0;
  while (slabs.take(Slabs::classes - 1) != nullptr) ++runs_here;
  EXPECT_EQ(runs_here, runs);
  EXPECT_GE(runs, memory_size / Slabs::block_sizes.back() - 1);
}

TEST_F(SlabsTest, OctetsAreThoseEverCut) {
  EXPECT_EQ(slabs.octets(), 0U);
  void* const block = slabs.take(0);
  const std::uint64_t one_page = slabs.octets();
  EXPECT_EQ(one_page, Slabs::page_size + sizeof(Slabs::Page));
  slabs.give_back(block);
  EXPECT_NE(slabs.take(5), nullptr);
  EXPECT_EQ(slabs.octets(), one_page) << "a page without blocks serves another size";
  while (slabs.take(3) != nullptr) {
  }
  EXPECT_LE(slabs.octets(), memory_size);
  EXPECT_GT(slabs.octets(), memory_size - 2 * Slabs::page_size);
}

TEST_F(SlabsTest, VisitsTheBlocksOfPages) {
  std::vector<void*> small;
  for (int count = 0; count < 10; ++count) small.push_back(slabs.take(0));
  slabs.give_back(small[3]);
  void* const run = slabs.take(Slabs::classes - 1);
  std::size_t visited = 0;
  slabs.each_block(slabs.page_of(small[0]), 1, [&visited, run](void* block) {
    EXPECT_NE(block, run);
    ++visited;
  });
  EXPECT_EQ(visited, 9U);
  std::vector<void*> found;
  slabs.each_block(slabs.page_of(run) + 2, 1, [&found](void* block) { found.push_back(block); });
  EXPECT_EQ(found, std::vector<void*>{run}) << "a run that begins before";
}

}  // namespace
}  // namespace cache
