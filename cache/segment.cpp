// Insertion, eviction and reclamation.
#include "cache/segment.h"

#include <algorithm>

namespace cache {
namespace {

/// What is filed must be found: the message has the key's question, and its parts are countable in
/// 16 bits.
bool answers(const Key& key, const dns::AnswerView& answer) {
  const std::size_t name_size = key.name.size();
  if (name_size == 0 || answer.wire.size() < Entry::question_offset + name_size + 4) return false;
  if (answer.wire.size() > dns::message_size_max ||
      answer.ttl_offsets.size() > dns::message_size_max)
    return false;
  const std::uint8_t* const question = &answer.wire[Entry::question_offset];
  return same_lowered(question, key.name.wire().data(), name_size) &&
         base::load_u16(question + name_size) == static_cast<std::uint16_t>(key.type) &&
         base::load_u16(question + name_size + 2) == static_cast<std::uint16_t>(key.klass);
}

}  // namespace

Segment::Segment(const Index& index, base::Epochs& epochs, std::byte* memory, std::size_t size,
                 std::uint64_t negative_most)
    : index_(index),
      epochs_(epochs),
      memory_(memory),
      slabs_(memory, size),
      negative_most_(negative_most) {}

bool Segment::insert(const Filing& filing, const dns::AnswerView& answer, const Lifetime& lifetime,
                     base::Seconds32 now) {
  const std::scoped_lock lock(mutex_);
  if (file(filing, answer, lifetime, now, now) != nullptr) return true;
  forget_locked(filing);
  return false;
}

bool Segment::restore(const Filing& filing, const dns::AnswerView& answer, const Lifetime& lifetime,
                      base::Seconds32 stored, bool asked_for, base::Seconds32 now) {
  const std::scoped_lock lock(mutex_);
  if (slot_of(filing) != nullptr) return false;
  Entry* const entry = file(filing, answer, lifetime, stored, now);
  if (entry != nullptr && asked_for)
    entry->marks.store(Entry::visited | Entry::asked_for, std::memory_order_relaxed);
  return entry != nullptr;
}

std::optional<base::Seconds32> Segment::stored_at(const Filing& filing) {
  const std::scoped_lock lock(mutex_);
  const Slot* const slot = slot_of(filing);
  if (slot == nullptr) return std::nullopt;
  return Slot::entry_of(slot->load())->inserted;
}

Entry* Segment::file(const Filing& filing, const dns::AnswerView& answer, const Lifetime& lifetime,
                     base::Seconds32 stored, base::Seconds32 now) {
  void* const block =
      answers(filing.key, answer) ? room_for(Entry::size_for(answer), now) : nullptr;
  if (block == nullptr) {
    stats_.refused.add();
    return nullptr;
  }
  Entry& entry =
      *Entry::make(block, filing.hash, filing.key, filing.scope, answer, lifetime, stored);
  if (Slot* const same = slot_of(filing)) {
    Entry& old = *Slot::entry_of(same->load());
    take_place(entry, old);
    same->store(Slot::word_of(&entry));
    retire(old);
    stats_.replaced.add();
  } else {
    slot_for_new(filing.hash, now).store(Slot::word_of(&entry));
    enqueue(entry);
    stats_.entries.add();
  }
  if (entry.is_negative()) {
    stats_.negative_octets.add(block_of(entry));
    keep_negative_share(now);
  }
  stats_.inserts.add();
  stats_.slab_octets.set(slabs_.octets());
  if (!index_settled_ && slabs_.octets() > huge_page_size) {
    index_.settle(filing.hash);
    index_settled_ = true;
  }
  return &entry;
}

void Segment::forget(const Filing& filing) {
  const std::scoped_lock lock(mutex_);
  forget_locked(filing);
}

void Segment::forget_locked(const Filing& filing) {
  if (const Slot* const slot = slot_of(filing)) remove(*Slot::entry_of(slot->load()));
}

// Memory.

/// A block of at least `size` octets: a free one, or one that eviction frees at once because no
/// reader is in the middle of a batch. When readers are, what was evicted serves a later insertion
/// and this one finds no room.
void* Segment::room_for(std::size_t size, base::Seconds32 now) {
  const std::size_t size_class = Slabs::class_for(size);
  if (size_class == Slabs::classes ||
      Slabs::block_sizes[size_class] > slabs_.pages() * Slabs::page_size / 2) {
    return nullptr;
  }
  reclaim();
  if (void* const block = slabs_.take(size_class)) return block;
  // A reader that stays must not empty the cache: while much waits for it, nothing more is evicted.
  if (stats_.retired_octets.value() > slabs_.pages() * Slabs::page_size / 16) return nullptr;

  const Entry* victim = nullptr;
  for (unsigned count = 0; count < evictions_at_once && waiting_blocks_[size_class] == 0; ++count) {
    victim = evict_one(now);
    if (victim == nullptr) break;
  }
  if (victim != nullptr && waiting_blocks_[size_class] == 0) {
    evict_pages(slabs_.page_of(victim), size_class,
                now);  // this size is rare here: it gets a whole page
  }
  reclaim();
  return slabs_.take(size_class);
}

// Eviction.

/// Of the two queues, the one whose hand stands at the older entry: so both hands go through time
/// together. Gives the victim, unlinked; nullptr when there is none.
Entry* Segment::evict_one(base::Seconds32 now) {
  const std::uint32_t positive = positive_.next();
  const std::uint32_t negative = negative_.next();
  const bool take_negative =
      negative != none && (positive == none || at(negative).inserted <= at(positive).inserted);
  return evict_from(take_negative ? negative_ : positive_, now, stats_.evicted_for_room);
}

/// SIEVE: the hand goes from old to new, takes the mark from entries that were asked for and evicts
/// the first without one; what nobody can use any more goes whatever its mark.
Entry* Segment::evict_from(Queue& queue, base::Seconds32 now, Tally& cause) {
  std::uint32_t link = queue.next();
  if (link == none) return nullptr;
  for (unsigned passed = 0; passed < patience; ++passed) {
    Entry& entry = at(link);
    if (now >= entry.useless_from || !entry.is_visited()) break;
    entry.unmark_visited();
    link = entry.newer != none ? entry.newer : queue.oldest;
  }
  queue.hand = link;
  Entry& victim = at(link);
  evict(victim, now, cause);
  return &victim;
}

/// What says that there is nothing gives way to its like when it takes more than its share, however
/// much room there is: under a flood of random names the answers that people use stay.
void Segment::keep_negative_share(base::Seconds32 now) {
  for (unsigned count = 0; count < evictions_at_once; ++count) {
    if (stats_.negative_octets.value() <= negative_most_) return;
    evict_from(negative_, now, stats_.evicted_negative);
  }
}

/// Everything in a page's blocks, or in as many pages as a run of the class needs: sizes asked for
/// change with time, and blocks of one size do not become another's by evicting here and there.
void Segment::evict_pages(std::uint32_t page, std::size_t size_class, base::Seconds32 now) {
  const auto count = static_cast<std::uint32_t>(
      std::max<std::size_t>(Slabs::block_sizes[size_class] / Slabs::page_size, 1));
  const std::uint32_t first = std::min(page, slabs_.pages() - count);
  slabs_.each_block(first, count, [this, now](void* block) {
    Entry& entry = *static_cast<Entry*>(block);
    if (entry.newer != retired) evict(entry, now, stats_.evicted_for_room);
  });
}

void Segment::evict(Entry& entry, base::Seconds32 now, Tally& cause) {
  (now >= entry.useless_from ? stats_.evicted_expired : cause).add();
  remove(entry);
}

// The index.

Slot* Segment::slot_of(const Filing& filing) const {
  for (Bucket* const bucket : {&index_.first(filing.hash), &index_.second(filing.hash)}) {
    for (Slot& slot : bucket->slot) {
      const std::uint64_t word = slot.load();
      if (!Slot::has_tag(word, Slot::tag_of(filing.hash))) continue;
      if (Slot::entry_of(word)->is_for(filing.hash, filing.key, filing.scope)) return &slot;
    }
  }
  return nullptr;
}

Slot* Segment::slot_of(const Entry& entry) const {
  const std::uint64_t word = Slot::word_of(&entry);
  for (Bucket* const bucket : {&index_.first(entry.hash), &index_.second(entry.hash)}) {
    for (Slot& slot : bucket->slot) {
      if (slot.load() == word) return &slot;
    }
  }
  return nullptr;
}

/// A free slot of the two buckets, the first one's first: most look-ups then touch one line. When
/// both are full one is made free, at the cost of the entry that is worth least only if need be.
Slot& Segment::slot_for_new(std::uint64_t hash, base::Seconds32 now) {
  const std::array buckets{&index_.first(hash), &index_.second(hash)};
  for (Bucket* const bucket : buckets) {
    if (Slot* const slot = free_slot(*bucket)) return *slot;
  }
  for (Bucket* const bucket : buckets) {
    if (Slot* const slot = move_one_away(*bucket)) return *slot;
  }
  Slot* least = nullptr;
  std::uint64_t least_worth = ~std::uint64_t{0};
  for (Bucket* const bucket : buckets) {
    for (Slot& slot : bucket->slot) {
      const Entry& entry = *Slot::entry_of(slot.load());
      const std::uint64_t marked = entry.is_visited() ? 1 : 0;
      const bool useless = now >= entry.useless_from;
      const std::uint64_t worth = useless ? 0 : (marked + 1) << 32 | entry.inserted;
      if (worth >= least_worth) continue;
      least = &slot;
      least_worth = worth;
    }
  }
  evict(*Slot::entry_of(least->load()), now, stats_.evicted_for_room);
  return *least;
}

Slot* Segment::free_slot(Bucket& bucket) {
  for (Slot& slot : bucket.slot) {
    if (slot.load() == Slot::empty) return &slot;
  }
  return nullptr;
}

/// Frees a slot by moving an entry from its first bucket to its second, in which it appears before
/// it disappears here: a reader looks in this order and so never misses it.
Slot* Segment::move_one_away(Bucket& bucket) {
  for (Slot& slot : bucket.slot) {
    const std::uint64_t word = slot.load();
    const std::uint64_t hash = Slot::entry_of(word)->hash;
    if (&index_.first(hash) != &bucket) continue;
    Slot* const other = free_slot(index_.second(hash));
    if (other == nullptr) continue;
    other->store(word);
    slot.store(Slot::empty);
    return &slot;
  }
  return nullptr;
}

// The queues.

void Segment::remove(Entry& entry) {
  slot_of(entry)->store(Slot::empty);
  dequeue(entry);
  retire(entry);
  stats_.entries.subtract(1);
}

void Segment::enqueue(Entry& entry) {
  Queue& queue = queue_of(entry);
  entry.older = queue.newest;
  entry.newer = none;
  (queue.newest != none ? at(queue.newest).newer : queue.oldest) = link_to(entry);
  queue.newest = link_to(entry);
}

void Segment::dequeue(Entry& entry) {
  Queue& queue = queue_of(entry);
  if (queue.hand == link_to(entry)) queue.hand = entry.newer;
  (entry.older != none ? at(entry.older).newer : queue.oldest) = entry.newer;
  (entry.newer != none ? at(entry.newer).older : queue.newest) = entry.older;
}

/// A newer answer to the same question stands where the old one stood, marked: that it was asked
/// for again is a hit.
void Segment::take_place(Entry& entry, Entry& old) {
  entry.marks.store(Entry::visited, std::memory_order_relaxed);
  Queue& queue = queue_of(entry);
  if (&queue_of(old) != &queue) {
    dequeue(old);
    enqueue(entry);
    return;
  }
  const std::uint32_t link = link_to(entry);
  entry.older = old.older;
  entry.newer = old.newer;
  (old.older != none ? at(old.older).newer : queue.oldest) = link;
  (old.newer != none ? at(old.newer).older : queue.newest) = link;
  if (queue.hand == link_to(old)) queue.hand = link;
}

// Reclamation. An unlinked entry may still be read; its links no longer are anybody's but the
// segment's.

void Segment::retire(Entry& entry) {
  if (entry.is_negative()) stats_.negative_octets.subtract(block_of(entry));
  entry.newer = retired;
  entry.older = later_;
  later_ = link_to(entry);
  const std::size_t size_class = slabs_.class_of(&entry);
  ++waiting_blocks_[size_class];
  stats_.retired_octets.add(Slabs::block_sizes[size_class]);
}

/// Frees what no reader can still see. One stamp stands for all that was unlinked before it was
/// taken.
void Segment::reclaim() {
  while (waiting_ != none || later_ != none) {
    if (waiting_ == none) {
      waiting_ = std::exchange(later_, none);
      waiting_stamp_ = epochs_.retire_stamp();
    }
    if (epochs_.safe_before() <= waiting_stamp_) return;
    while (waiting_ != none) {
      Entry& entry = at(waiting_);
      waiting_ = entry.older;
      const std::size_t size_class = slabs_.class_of(&entry);
      --waiting_blocks_[size_class];
      stats_.retired_octets.subtract(Slabs::block_sizes[size_class]);
      slabs_.give_back(&entry);
    }
  }
}

}  // namespace cache
