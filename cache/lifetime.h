// How long an answer may be kept: the one place that decides it. RFC 2308 §5 (negative), RFC 9520
// §3.2 (failures), RFC 8767 §4-5 (stale), RFC 1035 §3.2.1 (TTL 0). Values.
//
// Who does what: lifetime_of() decides; the caller brings the TTLs inside the message to the same
// bounds with dns::clamp_ttls(answer, lifetime.least_ttl, lifetime.most_ttl), also when `keep` is
// false (what is served is what would be kept); AnswerCache::insert() keeps the octets as they are;
// dns::fit() takes the age off when the answer is served.
#pragma once

#include <cstdint>

#include "cache/volatility.h"
#include "conf/config.h"
#include "dns/answer.h"

namespace cache {

struct Lifetime {
  bool keep = false;
  std::uint32_t fresh_seconds = 0;  ///< at least 1 when `keep`
  std::uint32_t stale_seconds = 0;  ///< after that; 0 for failures (RFC 8767 §4)
  bool failure = false;             ///< a resolution failure, filed beside answers (RFC 9520 §3.2)
  bool cuts_below =
      false;  ///< an NXDOMAIN of the name itself: for every type, and for names below (RFC 8020)
  std::uint32_t least_ttl =
      0;  ///< bounds for the TTLs inside the message; a negative answer's SOA gets at most
  std::uint32_t most_ttl = 0;  ///< the negative lifetime (RFC 2308 §5)
  History history{};           ///< kept with the answer; see bound_stale()

  /// Of a name that changes often, what is stale serves for less.
  void bound_stale(History of_name) {
    history = of_name;
    stale_seconds = stale_seconds_for(of_name, stale_seconds);
  }
};

Lifetime lifetime_of(const dns::AnswerFacts& facts, const conf::Cache& limits);

/// For an exchange that gave no answer at all: the failure to remember (RFC 9520 §3.2).
Lifetime lifetime_of_failure(const conf::Cache& limits);

}  // namespace cache
