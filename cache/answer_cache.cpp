// The cache: the way of a look-up, and which segment an answer goes to.
#include "cache/answer_cache.h"

#include <algorithm>
#include <array>
#include <bit>
#include <deque>

#include "cache/index.h"
#include "cache/memory.h"
#include "cache/segment.h"
#include "dns/message.h"

namespace cache {
namespace {

/// One slot for every 120 octets of the budget: even when all blocks are of the smallest size, 128,
/// octets run out before slots do (at 7 of 8 slots taken), so that it is SIEVE who decides.
constexpr std::uint64_t octets_per_slot = 120;
constexpr std::uint64_t segment_min = std::uint64_t{256} * 1024;
constexpr std::uint64_t alignment = 4096;
constexpr std::size_t cut_probes_max = 16;

struct Plan {
  explicit Plan(const AnswerCache::Options& options) {
    const std::uint64_t most =
        std::bit_floor(std::max<std::uint64_t>(options.budget / segment_min, 1));
    segments = static_cast<std::uint32_t>(std::min<std::uint64_t>(
        std::bit_ceil(4 * std::max<std::size_t>(options.threads, 1)), most));
    share = options.budget / segments - sizeof(Segment);
    buckets = static_cast<std::uint32_t>(share / (octets_per_slot * Bucket::slots));
    share -= buckets * sizeof(Bucket);
    share -= share % alignment;
  }

  std::uint32_t segments;
  std::uint64_t share;    ///< slabs, octets per segment
  std::uint32_t buckets;  ///< per segment
};

bool is_fresh(const Entry* entry, base::Seconds32 now) {
  return entry != nullptr && now < entry->expires;
}
bool is_usable(const Entry* entry, base::Seconds32 now) {
  return entry != nullptr && now < entry->useless_from;
}

/// A thread's time is that of its batch: another thread may have stored the entry a second later.
base::Seconds32 seen_by(base::Seconds32 now, const Entry& entry) {
  return std::max(now, entry.inserted);
}

void set_answer(Found& found, Entry& entry, base::Seconds32 thread_now) {
  const base::Seconds32 now = seen_by(thread_now, entry);
  const std::uint8_t marks = entry.mark_hit();
  const bool fresh = now < entry.expires;
  found.state = fresh ? Found::State::fresh : Found::State::stale;
  found.answer = entry.view();
  found.age = now - entry.inserted;
  found.ttl_left = fresh ? entry.expires - now : 0;
  found.usable_for = entry.useless_from - now;
  constexpr std::uint64_t parts_before_the_last = 9;  // of ten
  found.ending = fresh && found.ttl_left * parts_before_the_last <= found.age &&
                 (marks & (Entry::asked_for | Entry::refreshing)) == Entry::asked_for;
}

}  // namespace

class AnswerCache::Impl {
 public:
  Impl(const Options& options, base::Epochs& epochs)
      : seed(options.seed),
        budget(options.budget),
        plan(options),
        index_memory(sizeof(Bucket) * plan.segments * plan.buckets),
        slab_memory(plan.segments * plan.share),
        index(reinterpret_cast<Bucket*>(index_memory.data()), plan.segments, plan.buckets) {
    for (std::uint32_t number = 0; number < plan.segments; ++number) {
      segments.emplace_back(index, epochs, slab_memory.data() + number * plan.share, plan.share,
                            plan.share / 100 * options.negative_percent);
    }
  }

  [[nodiscard]] Segment& segment_of(std::uint64_t hash) { return segments[index.segment_of(hash)]; }

  [[nodiscard]] static Entry* search(const Bucket& bucket, const Filing& filing) {
    return Index::search(bucket, filing.hash, [&filing](const Entry& entry) {
      return entry.is_for(filing.hash, filing.key, filing.scope);
    });
  }
  [[nodiscard]] Entry* search(const Filing& filing) const {
    Entry* const entry = search(index.first(filing.hash), filing);
    return entry != nullptr ? entry : search(index.second(filing.hash), filing);
  }

  /// What a look-up reads that finds nothing in its first bucket: three more, which would else be
  /// waited for one by one.
  void fetch_rest(const Filing& question, const Filing& every_type) const {
    __builtin_prefetch(&index.second(question.hash));
    __builtin_prefetch(&index.first(every_type.hash));
    __builtin_prefetch(&index.second(every_type.hash));
  }

  [[nodiscard]] Filing every_type(const Key& key) const {
    return {key, hash_of_every_type(seed, key.name_hash, key.klass, key.variant),
            Scope::every_type};
  }

  // Readers' first: never written after construction.
  const HashSeed seed;
  const std::uint64_t budget;
  const Plan plan;
  Memory index_memory;
  Memory slab_memory;
  const Index index;
  std::deque<Segment> segments;
};

AnswerCache::AnswerCache(Options options, base::Epochs& epochs)
    : impl_(std::make_unique<Impl>(options, epochs)) {}
AnswerCache::~AnswerCache() = default;

Key AnswerCache::key_of(const dns::Question& question, bool dnssec_ok,
                        bool checking_disabled) const {
  return make_key(impl_->seed, question, dnssec_ok, checking_disabled);
}

void AnswerCache::fetch_ahead(std::span<const std::uint64_t> hashes) const {
  for (const std::uint64_t hash : hashes) __builtin_prefetch(&impl_->index.first(hash));
  for (const std::uint64_t hash : hashes) Index::fetch_entry(impl_->index.first(hash), hash);
}

Found AnswerCache::find(const Key& key, base::Seconds32 now) const {
  Found found;
  const Filing question{key, key.hash, Scope::question};
  Entry* exact = Impl::search(impl_->index.first(key.hash), question);
  if (exact == nullptr) {
    impl_->fetch_rest(question, impl_->every_type(key));
    exact = Impl::search(impl_->index.second(key.hash), question);
  }
  if (is_fresh(exact, now)) {
    set_answer(found, *exact, now);
    return found;
  }
  Entry* const missing = impl_->search(impl_->every_type(key));
  if (is_fresh(missing, now)) {
    set_answer(found, *missing, now);
    return found;
  }
  Entry* const failure = impl_->search({key, key.hash, Scope::failure});
  if (is_fresh(failure, now)) {
    failure->mark_hit();
    found.failure_remembered = true;
    found.failure = failure->view();
    found.failure_ttl_left = failure->expires - seen_by(now, *failure);
  }
  const bool exact_serves = is_usable(exact, now);
  const bool missing_serves = is_usable(missing, now);
  if (exact_serves && (!missing_serves || exact->inserted >= missing->inserted)) {
    set_answer(found, *exact, now);
  } else if (missing_serves) {
    set_answer(found, *missing, now);
  }
  return found;
}

bool AnswerCache::claim_refresh(const Key& key, base::Seconds32 now) const {
  Entry* const exact = impl_->search({key, key.hash, Scope::question});
  if (is_fresh(exact, now)) return exact->claim_refresh();
  Entry* const missing = impl_->search(impl_->every_type(key));
  return is_fresh(missing, now) && missing->claim_refresh();
}

History AnswerCache::history_with(const Key& key, const dns::AnswerView& next,
                                  base::Seconds32 now) const {
  const Entry* const exact = impl_->search({key, key.hash, Scope::question});
  const Entry* const missing = impl_->search(impl_->every_type(key));
  const Entry* before = exact;
  if (exact == nullptr || (missing != nullptr && missing->inserted > exact->inserted))
    before = missing;
  return is_usable(before, now) ? before->history.with(!same_data(before->view(), next))
                                : History{};
}

Found AnswerCache::find_cut(const Key& key, base::Seconds32 now, std::size_t least_size) const {
  const base::Bytes wire = key.name.wire();
  std::array<std::uint8_t, cut_probes_max>
      starts{};  // of the topmost ancestors, a ring: the last ones written count
  std::size_t labels = 0;
  for (std::size_t at = 0; at < wire.size() && wire[at] != 0; at += wire[at] + 1U) {
    starts[labels++ % starts.size()] = static_cast<std::uint8_t>(at);
  }
  const std::size_t lowest =
      labels > starts.size() ? labels - starts.size() : 1;  // the name itself is find()'s
  for (std::size_t label = labels; label > lowest; --label) {
    Key above = key;
    above.name = dns::NameView{wire.subspan(starts[(label - 1) % starts.size()])};
    if (above.name.size() < least_size) continue;
    above.name_hash = hash_of_name(impl_->seed, above.name);
    Entry* const entry = impl_->search(impl_->every_type(above));
    if (!is_fresh(entry, now)) continue;
    Found found;
    set_answer(found, *entry, now);
    return found;
  }
  return {};
}

void AnswerCache::insert(const Key& key, const dns::AnswerView& answer, const Lifetime& lifetime,
                         base::Seconds32 now) {
  const bool keep = lifetime.keep && lifetime.fresh_seconds != 0;
  const Filing question{key, key.hash, Scope::question};
  const Filing failure{key, key.hash, Scope::failure};
  Segment& of_question = impl_->segment_of(question.hash);
  if (lifetime.failure) {
    if (keep) of_question.insert(failure, answer, lifetime, now);
    return;
  }
  const Filing every_type = impl_->every_type(key);
  Segment& of_every_type = impl_->segment_of(every_type.hash);
  if (keep && lifetime.cuts_below) {
    of_every_type.insert(every_type, answer, lifetime, now);
    of_question.forget(question);
  } else {
    if (keep) {
      of_question.insert(question, answer, lifetime, now);
    } else {
      of_question.forget(question);
    }
    of_every_type.forget(every_type);
  }
  of_question.forget(failure);
}

void AnswerCache::forget(const Key& key) {
  const Filing every_type = impl_->every_type(key);
  impl_->segment_of(key.hash).forget({key, key.hash, Scope::question});
  impl_->segment_of(every_type.hash).forget(every_type);
}

std::size_t AnswerCache::pieces() const {
  return std::size_t{impl_->plan.segments} * impl_->segments.front().pages();
}

void AnswerCache::visit(std::size_t piece,
                        const std::function<void(const KeptEntry&)>& visit) const {
  const std::uint32_t pages = impl_->segments.front().pages();
  impl_->segments[piece / pages].each_entry_of(
      static_cast<std::uint32_t>(piece % pages), [&visit](const Entry& entry) {
        if (entry.scope == Scope::failure) return;
        visit({.answer = entry.view(),
               .variant = entry.variant,
               .every_type = entry.scope == Scope::every_type,
               .asked_for = (entry.marks.load(std::memory_order_relaxed) & Entry::asked_for) != 0,
               .history = entry.history,
               .stored = entry.inserted,
               .fresh_seconds = entry.expires - entry.inserted,
               .stale_seconds = entry.useless_from - entry.expires});
      });
}

bool AnswerCache::restore(const KeptEntry& entry, base::Seconds32 now) {
  const dns::MessageWalk walk(entry.answer.wire);
  const Key key = make_key(impl_->seed, walk.question(), (entry.variant & variant_do) != 0,
                           (entry.variant & variant_cd) != 0);
  const Filing question{key, key.hash, Scope::question};
  const Filing every_type = impl_->every_type(key);
  const Filing& filing = entry.every_type ? every_type : question;
  const Filing& other = entry.every_type ? question : every_type;
  const auto contradicts = impl_->segment_of(other.hash).stored_at(other);
  if (contradicts && *contradicts > entry.stored) return false;
  const Lifetime lifetime{.keep = true,
                          .fresh_seconds = entry.fresh_seconds,
                          .stale_seconds = entry.stale_seconds,
                          .history = entry.history};
  return impl_->segment_of(filing.hash)
      .restore(filing, entry.answer, lifetime, entry.stored, entry.asked_for, now);
}

std::uint64_t AnswerCache::flush() {
  std::uint64_t gone = 0;
  for (Segment& segment : impl_->segments) {
    gone += segment.flush([](const Entry&) { return true; });
  }
  return gone;
}

std::uint64_t AnswerCache::flush(dns::NameView name, bool below) {
  std::uint64_t gone = 0;
  for (Segment& segment : impl_->segments) {
    gone += segment.flush([name, below](const Entry& entry) {
      return below ? entry.name().is_at_or_below(name) : entry.name() == name;
    });
  }
  return gone;
}

CacheStats AnswerCache::stats() const {
  CacheStats sum;
  sum.budget = impl_->budget;
  sum.octets = impl_->index_memory.size() + impl_->plan.segments * sizeof(Segment);
  for (const Segment& segment : impl_->segments) {
    const SegmentStats& one = segment.stats();
    sum.entries += one.entries.value();
    sum.octets += one.slab_octets.value();
    sum.retired_octets += one.retired_octets.value();
    sum.inserts += one.inserts.value();
    sum.replaced += one.replaced.value();
    sum.evicted_expired += one.evicted_expired.value();
    sum.evicted_for_room += one.evicted_for_room.value();
    sum.evicted_negative += one.evicted_negative.value();
    sum.negative_octets += one.negative_octets.value();
    sum.flushed += one.flushed.value();
    sum.refused += one.refused.value();
  }
  return sum;
}

}  // namespace cache
