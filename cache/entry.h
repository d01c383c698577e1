// One kept answer as it lies in a slab: this header, the TTL offsets, the message, the EDE text.
// Written once, then read by all threads; only the marks change, and the fields of the owning
// segment, which readers never look at.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/bytes.h"
#include "base/clock.h"
#include "cache/key.h"
#include "cache/lifetime.h"
#include "cache/lowered.h"
#include "cache/volatility.h"
#include "dns/answer.h"

namespace cache {

/// What an entry holds for; part of what it is filed under.
enum class Scope : std::uint8_t {
  question,    ///< an answer to one question
  every_type,  ///< an NXDOMAIN, whatever the type (RFC 2308 §5)
  failure,     ///< a remembered failure of one question, beside its answer (RFC 9520 §3.2)
};

struct Entry {
  std::uint64_t hash;

  // The segment's, under its mutex: the SIEVE queue, later the queue of what waits to be freed.
  std::uint32_t newer;
  std::uint32_t older;

  base::Seconds32 inserted;
  base::Seconds32 expires;       ///< fresh before, stale from here
  base::Seconds32 useless_from;  ///< not even stale from here
  std::uint16_t wire_size;
  std::uint16_t ttl_count;
  dns::Rcode rcode;
  dns::Ede ede;
  std::uint8_t ede_text_size;
  std::uint8_t variant : 2;
  std::uint8_t has_ede : 1;
  Scope scope : 2;
  History history;
  std::atomic<std::uint8_t> marks;

  // Bits of `marks`.
  static constexpr std::uint8_t visited = 1;    ///< SIEVE's, which takes it away again
  static constexpr std::uint8_t asked_for = 2;  ///< a hit since it was stored
  static constexpr std::uint8_t refreshing = 4;

  /// Longer texts are cut; EDE texts are for people and short.
  static constexpr std::size_t ede_text_max = 255;
  static constexpr std::size_t question_offset = dns::header_size;
  static constexpr std::size_t answer_count_offset = 6;

  /// Octets that an entry for this answer takes.
  static std::size_t size_for(const dns::AnswerView& answer) {
    return sizeof(Entry) + answer.ttl_offsets.size_bytes() + answer.wire.size() +
           std::min(answer.ede_text.size(), ede_text_max);
  }

  /// Makes an entry in `block`, which has size_for() octets.
  static Entry* make(void* block, std::uint64_t hash, const Key& key, Scope scope,
                     const dns::AnswerView& answer, const Lifetime& lifetime, base::Seconds32 now);

  [[nodiscard]] dns::AnswerView view() const {
    const std::uint8_t* const message = wire();
    return {{message, wire_size},
            {offsets(), ttl_count},
            rcode,
            has_ede != 0,
            ede,
            base::as_text({message + wire_size, ede_text_size})};
  }

  /// Full comparison, letter case aside. A name ends with its zero octet, so equal octets are an
  /// equal name.
  [[nodiscard]] bool is_for(std::uint64_t key_hash, const Key& key, Scope wanted) const {
    if (hash != key_hash || scope != wanted || variant != key.variant) return false;
    const std::size_t name_size = key.name.size();
    const std::uint8_t* const question = wire() + question_offset;
    if (question_offset + name_size + 4 > wire_size) return false;
    if (!same_lowered(question, key.name.wire().data(), name_size)) return false;
    if (base::load_u16(question + name_size + 2) != static_cast<std::uint16_t>(key.klass))
      return false;
    return wanted == Scope::every_type ||
           base::load_u16(question + name_size) == static_cast<std::uint16_t>(key.type);
  }

  /// The name that the answer is for, as it was asked.
  [[nodiscard]] dns::NameView name() const {
    const std::uint8_t* const first = wire() + question_offset;
    const std::uint8_t* at = first;
    while (*at != 0) at += *at + 1;
    return dns::NameView{{first, at + 1}};
  }

  /// Gives the marks as they were. Hits on a marked entry write nothing, so that its cache line
  /// stays shared between cores. A `refreshing` that another thread sets in between may be lost:
  /// then the question is refreshed twice, which its flight makes one exchange.
  std::uint8_t mark_hit() {
    const std::uint8_t had = marks.load(std::memory_order_relaxed);
    if ((had & (visited | asked_for)) != (visited | asked_for))
      marks.store(had | visited | asked_for, std::memory_order_relaxed);
    return had;
  }
  [[nodiscard]] bool is_visited() const {
    return (marks.load(std::memory_order_relaxed) & visited) != 0;
  }
  void unmark_visited() {
    marks.fetch_and(static_cast<std::uint8_t>(~visited), std::memory_order_relaxed);
  }
  /// True for one caller alone.
  bool claim_refresh() {
    std::uint8_t had = marks.load(std::memory_order_relaxed);
    return (had & refreshing) == 0 && marks.compare_exchange_strong(had, had | refreshing);
  }

  /// Says that there is nothing: what a flood of random names fills a cache with.
  [[nodiscard]] bool is_negative() const {
    return rcode != dns::Rcode::noerror || base::load_u16(wire() + answer_count_offset) == 0;
  }

 private:
  [[nodiscard]] const std::uint16_t* offsets() const {
    return reinterpret_cast<const std::uint16_t*>(this + 1);
  }
  [[nodiscard]] const std::uint8_t* wire() const {
    return reinterpret_cast<const std::uint8_t*>(offsets() + ttl_count);
  }
};

static_assert(sizeof(Entry) == 40,
              "with a name of 35 octets and one A record an entry stays within 128");

}  // namespace cache
