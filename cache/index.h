// Where entries are found: buckets of one cache line, eight slots of a 16-bit tag and a 48-bit
// pointer each. An entry stands in one of two buckets of its segment. Readers load slots without a
// lock; a segment stores its own under its mutex. Owned by AnswerCache.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "cache/entry.h"
#include "cache/memory.h"

namespace cache {

class Slot {
 public:
  /// Loads and stores are seq_cst for base::Epochs' sake: a plain mov on x86.
  [[nodiscard]] std::uint64_t load() const { return word_.load(std::memory_order_seq_cst); }
  void store(std::uint64_t word) { word_.store(word, std::memory_order_seq_cst); }

  static constexpr std::uint64_t empty = 0;
  static std::uint64_t word_of(const Entry* entry) {
    return tag_of(entry->hash) << tag_shift | reinterpret_cast<std::uint64_t>(entry);
  }
  static std::uint64_t tag_of(std::uint64_t hash) { return hash >> tag_shift; }
  static bool has_tag(std::uint64_t word, std::uint64_t tag) {
    return word >> tag_shift == tag && word != empty;
  }
  static Entry* entry_of(std::uint64_t word) {
    return reinterpret_cast<Entry*>(word & pointer_mask);  // NOLINT(*-int-to-ptr): tagged
  }

  static constexpr unsigned tag_shift = 48;
  static constexpr std::uint64_t pointer_mask = (std::uint64_t{1} << tag_shift) - 1;

 private:
  std::atomic<std::uint64_t> word_;
};

struct alignas(64) Bucket {
  static constexpr std::size_t slots = 8;
  std::array<Slot, slots> slot;
};
static_assert(sizeof(Bucket) == 64);

/// Never written after construction: the line that holds it is shared by all readers.
class Index {
 public:
  Index() = default;
  Index(Bucket* buckets, std::uint32_t segments, std::uint32_t buckets_per_segment)
      : buckets_(buckets), segment_mask_(segments - 1), per_segment_(buckets_per_segment) {}

  [[nodiscard]] std::uint32_t segment_of(std::uint64_t hash) const {
    return static_cast<std::uint32_t>(hash) & segment_mask_;
  }

  /// Segment from the low bits, tag from the high 16, buckets from what lies between; the second
  /// from a product of all.
  [[nodiscard]] Bucket& first(std::uint64_t hash) const {
    return bucket(hash, static_cast<std::uint32_t>(hash >> 12));
  }
  [[nodiscard]] Bucket& second(std::uint64_t hash) const {
    return bucket(hash, static_cast<std::uint32_t>((hash * 0x9e3779b97f4a7c15) >> 32));
  }

  /// The entry of a bucket that this is true of, or nullptr. Readers call it inside a batch,
  /// writers under the mutex.
  template <class Predicate>
  static Entry* search(const Bucket& bucket, std::uint64_t hash, Predicate&& wanted) {
    const std::uint64_t tag = Slot::tag_of(hash);
    for (const Slot& slot : bucket.slot) {
      const std::uint64_t word = slot.load();
      if (!Slot::has_tag(word, tag)) continue;
      Entry* const entry = Slot::entry_of(word);
      if (wanted(*entry)) return entry;
    }
    return nullptr;
  }

  /// Fetches from memory the entries of a bucket that may be the one: header and, in most cases,
  /// all of the answer.
  static void fetch_entry(const Bucket& bucket, std::uint64_t hash) {
    search(bucket, hash, [](const Entry& entry) {
      __builtin_prefetch(&entry);
      __builtin_prefetch(reinterpret_cast<const std::byte*>(&entry) + sizeof(Bucket));
      return false;
    });
  }

  /// The segment's buckets are in use for good.
  void settle(std::uint64_t hash) const {
    prefer_huge_pages(&buckets_[std::uint64_t{segment_of(hash)} * per_segment_],
                      per_segment_ * sizeof(Bucket));
  }

 private:
  [[nodiscard]] Bucket& bucket(std::uint64_t hash, std::uint32_t random) const {
    const std::uint64_t within =
        (std::uint64_t{random} * per_segment_) >> 32;  // a division's worth, by multiplication
    return buckets_[std::uint64_t{segment_of(hash)} * per_segment_ + within];
  }

  Bucket* buckets_ = nullptr;
  std::uint32_t segment_mask_ = 0;
  std::uint32_t per_segment_ = 0;
};

}  // namespace cache
