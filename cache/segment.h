// A share of the cache that is written under one mutex: its part of the index, its slabs, its SIEVE
// queues and what waits to be freed. Readers never come here. SIEVE: Zhang et al., NSDI 2024. Owned
// by AnswerCache.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/epoch.h"
#include "cache/entry.h"
#include "cache/index.h"
#include "cache/key.h"
#include "cache/lifetime.h"
#include "cache/slabs.h"

namespace cache {

/// Written by who holds the segment's mutex, read by any.
class Tally {
 public:
  void add(std::uint64_t count = 1) { set(value() + count); }
  void subtract(std::uint64_t count) { set(value() - count); }
  void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct SegmentStats {
  Tally entries;
  Tally slab_octets;
  Tally retired_octets;
  Tally inserts;
  Tally replaced;
  Tally evicted_expired;
  Tally evicted_for_room;
  Tally evicted_negative;
  Tally negative_octets;
  Tally flushed;
  Tally refused;
};

/// Where an entry goes: a key as it is filed.
struct Filing {
  const Key& key;
  std::uint64_t hash;
  Scope scope;
};

class alignas(64) Segment {
 public:
  /// `negative_most`: octets that answers which say that there is nothing may take.
  Segment(const Index& index, base::Epochs& epochs, std::byte* memory, std::size_t size,
          std::uint64_t negative_most);
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  /// Files a copy of the answer, in the place of one filed alike. False: too large, or no room
  /// could be made now; the older one goes all the same.
  bool insert(const Filing& filing, const dns::AnswerView& answer, const Lifetime& lifetime,
              base::Seconds32 now);

  /// Files a copy of what was stored at `stored`, unless something is filed so. False likewise.
  bool restore(const Filing& filing, const dns::AnswerView& answer, const Lifetime& lifetime,
               base::Seconds32 stored, bool asked_for, base::Seconds32 now);
  /// When what is filed so was stored.
  [[nodiscard]] std::optional<base::Seconds32> stored_at(const Filing& filing);

  /// Calls `visit(entry)` for everything that lies in a page of the slabs, under the mutex.
  template <class Visit>
  void each_entry_of(std::uint32_t page, Visit&& visit);
  [[nodiscard]] std::uint32_t pages() const { return slabs_.pages(); }

  /// Removes what is filed so, because something newer contradicts it.
  void forget(const Filing& filing);

  /// Removes every entry for which `goes(entry)`; gives how many. The mutex is held for the whole
  /// walk.
  template <class Predicate>
  std::uint64_t flush(Predicate&& goes);

  [[nodiscard]] const SegmentStats& stats() const { return stats_; }

 private:
  static constexpr std::uint32_t none =
      0;  ///< a link that leads nowhere; no entry lies at the memory's start
  static constexpr std::uint32_t retired =
      ~none;  ///< in `newer`: unlinked, and not to be unlinked again
  static constexpr unsigned patience =
      512;  ///< marked entries that the hand passes by in one eviction
  static constexpr unsigned evictions_at_once = 8;  ///< in one insertion

  [[nodiscard]] Entry& at(std::uint32_t link) const {
    return *reinterpret_cast<Entry*>(memory_ + std::size_t{link} * Slabs::unit);
  }
  [[nodiscard]] std::uint32_t link_to(const Entry& entry) const {
    return static_cast<std::uint32_t>((reinterpret_cast<const std::byte*>(&entry) - memory_) /
                                      Slabs::unit);
  }

  Entry* file(const Filing& filing, const dns::AnswerView& answer, const Lifetime& lifetime,
              base::Seconds32 stored, base::Seconds32 now);
  void forget_locked(const Filing& filing);
  void* room_for(std::size_t size, base::Seconds32 now);
  /// Entries by insertion, and where SIEVE's hand stands among them.
  struct Queue {
    std::uint32_t newest = none;
    std::uint32_t oldest = none;
    std::uint32_t hand = none;

    [[nodiscard]] std::uint32_t next() const { return hand != none ? hand : oldest; }
  };

  Entry* evict_one(base::Seconds32 now);
  Entry* evict_from(Queue& queue, base::Seconds32 now, Tally& cause);
  void keep_negative_share(base::Seconds32 now);
  [[nodiscard]] Queue& queue_of(const Entry& entry) {
    return entry.is_negative() ? negative_ : positive_;
  }
  [[nodiscard]] std::uint64_t block_of(const Entry& entry) const {
    return Slabs::block_sizes[slabs_.class_of(&entry)];
  }
  void evict_pages(std::uint32_t page, std::size_t size_class, base::Seconds32 now);

  [[nodiscard]] Slot* slot_of(const Filing& filing) const;
  [[nodiscard]] Slot* slot_of(const Entry& entry) const;
  static Slot* free_slot(Bucket& bucket);
  Slot* move_one_away(Bucket& bucket);
  Slot& slot_for_new(std::uint64_t hash, base::Seconds32 now);
  void evict(Entry& entry, base::Seconds32 now, Tally& cause);
  void remove(Entry& entry);

  void enqueue(Entry& entry);
  void dequeue(Entry& entry);
  void take_place(Entry& entry, Entry& old);
  void retire(Entry& entry);
  void reclaim();

  const Index index_;
  base::Epochs& epochs_;
  std::byte* const memory_;

  std::mutex mutex_;
  Slabs slabs_;

  // Two queues: a flood of names that do not exist turns the hand of its own alone.
  Queue positive_;
  Queue negative_;
  const std::uint64_t negative_most_;

  // Unlinked entries: those that wait for one epoch to end, and those that came later and will wait
  // for the next.
  std::uint32_t waiting_ = none;
  std::uint32_t later_ = none;
  std::uint64_t waiting_stamp_ = 0;
  std::array<std::uint32_t, Slabs::classes> waiting_blocks_{};

  bool index_settled_ = false;
  SegmentStats stats_;
};

template <class Visit>
void Segment::each_entry_of(std::uint32_t page, Visit&& visit) {
  const std::scoped_lock lock(mutex_);
  slabs_.each_block_of(page, [&visit](void* block) {
    const Entry& entry = *static_cast<const Entry*>(block);
    if (entry.newer != retired) visit(entry);
  });
}

template <class Predicate>
std::uint64_t Segment::flush(Predicate&& goes) {
  const std::scoped_lock lock(mutex_);
  std::uint64_t gone = 0;
  for (const Queue* const queue : {&positive_, &negative_}) {
    for (std::uint32_t link = queue->newest; link != none;) {
      Entry& entry = at(link);
      link = entry.older;
      if (!goes(entry)) continue;
      remove(entry);
      ++gone;
    }
  }
  stats_.flushed.add(gone);
  reclaim();
  return gone;
}

}  // namespace cache
