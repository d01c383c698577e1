// Reclamation by epochs: what a batch may see is not freed, what none may see is.
#include "base/epoch.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace base {
namespace {

TEST(Epochs, NothingReadsNothingHolds) {
  Epochs epochs;
  const std::uint64_t stamp = epochs.retire_stamp();
  EXPECT_GT(epochs.safe_before(), stamp);
}

TEST(Epochs, BatchThatBeganBeforeHolds) {
  Epochs epochs;
  EpochReader reader(epochs);
  reader.begin();
  const std::uint64_t stamp = epochs.retire_stamp();
  EXPECT_LE(epochs.safe_before(), stamp);
  reader.end();
  EXPECT_GT(epochs.safe_before(), stamp);
}

TEST(Epochs, BatchThatBeganAfterDoesNotHold) {
  Epochs epochs;
  EpochReader reader(epochs);
  const std::uint64_t stamp = epochs.retire_stamp();
  const EpochBatch batch(reader);
  EXPECT_GT(epochs.safe_before(), stamp);
  EXPECT_LE(epochs.safe_before(), epochs.retire_stamp());
}

TEST(Epochs, NestedBatchesCountAsTheOuterOne) {
  Epochs epochs;
  EpochReader reader(epochs);
  reader.begin();
  const std::uint64_t stamp = epochs.retire_stamp();
  {
    const EpochBatch inner(reader);
    EXPECT_LE(epochs.safe_before(), stamp);
  }
  EXPECT_TRUE(reader.inside());
  EXPECT_LE(epochs.safe_before(), stamp);
  reader.end();
  EXPECT_GT(epochs.safe_before(), stamp);
}

TEST(Epochs, TheOldestBatchOfAllCounts) {
  Epochs epochs;
  EpochReader first(epochs);
  EpochReader second(epochs);
  first.begin();
  const std::uint64_t stamp = epochs.retire_stamp();
  second.begin();
  EXPECT_LE(epochs.safe_before(), stamp);
  second.end();
  EXPECT_LE(epochs.safe_before(), stamp);
  first.end();
  EXPECT_GT(epochs.safe_before(), stamp);
}

TEST(Epochs, ReaderWhoEndsLeavesItsPlaceToAnother) {
  Epochs epochs;
  for (std::size_t count = 0; count < 3 * Epochs::readers_max; ++count) {
    EpochReader reader(epochs);
    reader.begin();
  }
  const std::uint64_t stamp = epochs.retire_stamp();
  EXPECT_GT(epochs.safe_before(), stamp) << "one that ended inside a batch holds nothing";
}

TEST(Epochs, MoreReadersThanPlacesAreRefused) {
  Epochs epochs;
  std::vector<std::unique_ptr<EpochReader>> readers;
  for (std::size_t count = 0; count < Epochs::readers_max; ++count) {
    readers.push_back(std::make_unique<EpochReader>(epochs));
  }
  EXPECT_THROW(EpochReader{epochs}, std::length_error);
  readers.pop_back();
  EXPECT_NO_THROW(EpochReader{epochs});
}

/// The use it is for: shared pointers replaced under readers, freed with `delete`, which sanitizers
/// watch.
TEST(Epochs, NoReaderSeesFreedMemory) {
  struct Pair {
    int left;
    int right;
  };
  Epochs epochs;
  std::array<std::atomic<Pair*>, 16> shared{};
  std::atomic<bool> over = false;
  std::atomic<std::uint64_t> seen = 0;
  const auto read = [&epochs, &shared, &over, &seen] {
    EpochReader reader(epochs);
    while (!over.load(std::memory_order_relaxed)) {
      const EpochBatch batch(reader);
      for (const std::atomic<Pair*>& place : shared) {
        const Pair* const pair = place.load();
        if (pair == nullptr) continue;
        EXPECT_EQ(pair->left, -pair->right);
        seen.fetch_add(1, std::memory_order_relaxed);
      }
    }
  };
  std::vector<std::pair<std::uint64_t, std::unique_ptr<Pair>>> waiting;
  {
    const std::jthread first(read);
    const std::jthread second(read);
    for (int count = 0; count < 50'000 || seen.load() == 0; ++count) {
      Pair* const old =
          shared[static_cast<std::size_t>(count) % shared.size()].exchange(new Pair{count, -count});
      if (old != nullptr) waiting.emplace_back(epochs.retire_stamp(), old);
      const std::uint64_t safe = epochs.safe_before();
      std::erase_if(waiting, [safe](const auto& item) { return item.first < safe; });
    }
    over = true;
  }
  const std::uint64_t safe = epochs.safe_before();
  for (const auto& [stamp, pair] : waiting) EXPECT_LT(stamp, safe);
  for (const std::atomic<Pair*>& place : shared) delete place.load();
}

}  // namespace
}  // namespace base
