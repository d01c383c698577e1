// The one cache of the process: whole answers in wire format, shared by all threads and transports.
// Readers take no lock and write nothing but a "visited" mark; entries are immutable and freed
// through base::Epochs. SIEVE eviction per segment. RFC 2308, RFC 4343, RFC 8020, RFC 8767, RFC
// 9520. Owned by App.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/epoch.h"
#include "cache/key.h"
#include "cache/lifetime.h"
#include "cache/volatility.h"
#include "dns/answer.h"
#include "dns/name.h"

namespace cache {

struct CacheStats {
  std::uint64_t entries = 0;
  std::uint64_t octets =
      0;  ///< index, slabs and what waits to be reclaimed: what the budget bounds
  std::uint64_t budget = 0;
  std::uint64_t retired_octets = 0;  ///< of `octets`: unlinked, and perhaps still read
  std::uint64_t inserts = 0;
  std::uint64_t replaced = 0;  ///< of `inserts`: in the place of an older answer
  std::uint64_t evicted_expired = 0;
  std::uint64_t evicted_for_room = 0;
  std::uint64_t evicted_negative = 0;  ///< beyond the share of what says that there is nothing
  std::uint64_t negative_octets = 0;   ///< of `octets`: such answers, NXDOMAIN, NODATA and failures
  std::uint64_t flushed = 0;
  std::uint64_t refused =
      0;  ///< too large for a segment, not an answer to its key, or room only once readers are done
};

/// What a look-up found. Its views are valid inside the reader's batch only. What it means to who
/// must answer (RFC 8767 §5, RFC 9520 §3.2):
///
/// | state  | failure remembered | and so                                                |
/// | ------ | ------------------ | ----------------------------------------------------- |
/// | fresh  | not looked for     | `answer` is the answer                                |
/// | stale  | no                 | ask an upstream; `answer` is there in case that fails |
/// | stale  | yes                | `answer`, stale, and ask nobody                       |
/// | absent | yes                | `failure`, and ask nobody                             |
/// | absent | no                 | ask an upstream                                       |
struct Found {
  enum class State : std::uint8_t { absent, fresh, stale };
  State state = State::absent;
  bool failure_remembered = false;     ///< and not expired
  bool ending = false;                 ///< fresh, in the last tenth of its life, asked for before,
                                       ///< and nobody refreshes it yet: see claim_refresh()
  dns::AnswerView answer;              ///< unless absent
  std::uint32_t age = 0;               ///< seconds since `answer` was stored
  std::uint32_t ttl_left = 0;          ///< seconds until `answer` expires; 0 when stale
  std::uint32_t usable_for = 0;        ///< seconds until it may not even serve stale
  dns::AnswerView failure;             ///< when remembered: rcode, EDE, a message with the question
  std::uint32_t failure_ttl_left = 0;  ///< seconds until an upstream may be asked again
};

/// An entry as it is saved and restored.
struct KeptEntry {
  dns::AnswerView answer;
  std::uint8_t variant = 0;
  bool every_type = false;  ///< an NXDOMAIN that is filed for all types
  bool asked_for = false;
  History history{};
  base::Seconds32 stored = 0;
  std::uint32_t fresh_seconds = 0;
  std::uint32_t stale_seconds = 0;
};

class AnswerCache {
 public:
  struct Options {
    std::uint64_t budget = 64 << 20;  ///< octets, hard; at least 1 MiB
    std::size_t threads = 1;  ///< how many will write: segments are at least four times as many
    unsigned negative_percent = 25;  ///< of the budget: most for answers that say there is nothing
    HashSeed seed;
  };

  /// Segments have at least 256 KiB each, so that 64 KiB answers find room; below 1 MiB per thread
  /// they are fewer.
  AnswerCache(Options options, base::Epochs& epochs);
  ~AnswerCache();
  AnswerCache(const AnswerCache&) = delete;
  AnswerCache& operator=(const AnswerCache&) = delete;

  /// The key refers to the question's name.
  [[nodiscard]] Key key_of(const dns::Question& question, bool dnssec_ok,
                           bool checking_disabled) const;

  /// Fetches from memory what look-ups of these hashes of keys will read first, all at the same
  /// time: one by one they would wait for it each. Inside a batch; a hint.
  void fetch_ahead(std::span<const std::uint64_t> hashes) const;

  /// The exact question, or an NXDOMAIN for its name: the fresh one, or of two stale ones the
  /// later; and a failure that is remembered for the question. Inside a batch of the calling
  /// thread; no lock, no allocation.
  [[nodiscard]] Found find(const Key& key, base::Seconds32 now) const;

  /// An NXDOMAIN for a name above (RFC 8020 §2), nearest to the root first: a few probes, for
  /// misses only. Fresh ones alone. The name it was kept for is the question of `answer`. Of names
  /// with more than 16 labels, the 16 topmost ancestors are looked for: what a peer can make us
  /// probe is bounded. Names of fewer than `least_size` octets do not count: other servers may be
  /// asked for what is below them.
  [[nodiscard]] Found find_cut(const Key& key, base::Seconds32 now,
                               std::size_t least_size = 1) const;

  /// True for one caller alone, who then refreshes the answer that find() gave as `ending`.
  [[nodiscard]] bool claim_refresh(const Key& key, base::Seconds32 now) const;

  /// What is known of how the answer changes, with `next`, which is about to be kept, counted in.
  /// Inside a batch.
  [[nodiscard]] History history_with(const Key& key, const dns::AnswerView& next,
                                     base::Seconds32 now) const;

  /// Keeps a copy. An NXDOMAIN whose lifetime `cuts_below` is filed for all types. A failure
  /// (SERVFAIL …) never takes the place of an answer that may still serve stale: it is filed beside
  /// it (RFC 8767 §4). What the answer contradicts goes: the failure, and the NXDOMAIN or the
  /// answer to the same question. So it does when the answer itself is not kept, be it that its
  /// lifetime says so or that there is no room: what is older must not serve stale after it. Takes
  /// a segment's mutex; best called outside a batch, for then what is evicted can be reused at
  /// once.
  void insert(const Key& key, const dns::AnswerView& answer, const Lifetime& lifetime,
              base::Seconds32 now);

  /// What is kept for the question, of either filing, is not to serve any more, not even stale.
  void forget(const Key& key);

  // For who saves it. Failures are not shown: a restart may be what was to end them.

  /// How many pieces a walk has. What a piece holds changes meanwhile; an entry never moves.
  [[nodiscard]] std::size_t pieces() const;
  /// Calls `visit` for what is kept in a piece: at most 80 KiB of memory, during which insertions
  /// into one segment wait and look-ups do not.
  void visit(std::size_t piece, const std::function<void(const KeptEntry&)>& visit) const;
  /// Keeps a copy of what was saved, unless something newer is known by now. Its hash is this
  /// process's own. False: not kept.
  bool restore(const KeptEntry& entry, base::Seconds32 now);

  /// Everything; gives how many entries went.
  std::uint64_t flush();
  /// A name of every type and variant; with `below`, all names below it too. Walks through
  /// everything, segment by segment.
  std::uint64_t flush(dns::NameView name, bool below);

  [[nodiscard]] CacheStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cache
