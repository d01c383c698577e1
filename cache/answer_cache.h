// The one cache of the process: whole answers in wire format, shared by all threads and transports. Readers take no lock and
// write nothing but a "visited" mark; entries are immutable and freed through base::Epochs. SIEVE eviction per segment.
// Design and figures: immutable entries, 64-byte buckets of tagged pointers, two candidate buckets. Owned by App.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/epoch.h"
#include "cache/key.h"
#include "cache/lifetime.h"
#include "dns/answer.h"
#include "dns/name.h"

namespace cache {

struct CacheStats {
  std::uint64_t entries = 0;
  std::uint64_t octets = 0;          ///< index, slabs and what waits to be reclaimed: what the budget bounds
  std::uint64_t budget = 0;
  std::uint64_t retired_octets = 0;
  std::uint64_t inserts = 0;
  std::uint64_t replaced = 0;
  std::uint64_t evicted_expired = 0;
  std::uint64_t evicted_for_room = 0;
  std::uint64_t flushed = 0;
  std::uint64_t refused = 0;         ///< too large for the budget's share
};

/// What a look-up found. The view is valid inside the reader's batch only.
struct Found {
  enum class State : std::uint8_t { absent, fresh, stale };
  State state = State::absent;
  dns::AnswerView answer;
  std::uint32_t age = 0;         ///< seconds since it was stored
  std::uint32_t ttl_left = 0;    ///< seconds until it expires; 0 when stale
  bool failure = false;          ///< a remembered failure (RFC 9520)
};

class AnswerCache {
 public:
  struct Options {
    std::uint64_t budget = 64 << 20;  ///< octets, hard
    std::size_t threads = 1;          ///< how many will write: segments are at least four times as many
    HashSeed seed;
  };

  AnswerCache(Options options, base::Epochs& epochs);
  ~AnswerCache();
  AnswerCache(const AnswerCache&) = delete;
  AnswerCache& operator=(const AnswerCache&) = delete;

  [[nodiscard]] Key key_of(const dns::Question& question, bool dnssec_ok, bool checking_disabled) const;

  /// The exact question, or an NXDOMAIN for its name. Inside a batch of the calling thread; no lock, no allocation.
  [[nodiscard]] Found find(const Key& key, base::Seconds32 now) const;

  /// An NXDOMAIN for a name above (RFC 8020 §2), nearest to the root first: a few probes, for misses only. Fresh ones
  /// alone. `above` gets the name it was kept for.
  [[nodiscard]] Found find_cut(const Key& key, base::Seconds32 now) const;

  /// Keeps a copy. An NXDOMAIN whose lifetime `cuts_below` is filed for all types. A failure (SERVFAIL …) never takes the
  /// place of an answer that may still serve stale: it is filed beside it (RFC 8767 §4).
  void insert(const Key& key, const dns::AnswerView& answer, const Lifetime& lifetime, base::Seconds32 now);

  /// Everything; gives how many entries went.
  std::uint64_t flush();
  /// A name of every type and variant; with `below`, all names below it too.
  std::uint64_t flush(dns::NameView name, bool below);

  [[nodiscard]] CacheStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cache
