// Lifetimes by kind of answer. RFC 2308 §5, RFC 8767 §4-5, RFC 9520 §3.2.
#include "cache/lifetime.h"

#include <algorithm>
#include <chrono>

namespace cache {
namespace {

std::uint32_t whole_seconds(std::chrono::seconds duration) {
  return static_cast<std::uint32_t>(std::max<std::chrono::seconds::rep>(duration.count(), 0));
}

Lifetime positive(const dns::AnswerFacts& facts, const conf::Cache& limits) {
  Lifetime lifetime;
  lifetime.most_ttl = whole_seconds(limits.max_ttl);
  lifetime.least_ttl = std::min(whole_seconds(limits.min_ttl), lifetime.most_ttl);
  if (!facts.has_ttl) return lifetime;  // nothing says how long it holds
  lifetime.fresh_seconds = std::clamp(facts.least_ttl, lifetime.least_ttl, lifetime.most_ttl);
  lifetime.keep = lifetime.fresh_seconds !=
                  0;  // RFC 1035 §3.2.1: TTL 0 is for the transaction in progress alone
  lifetime.stale_seconds = lifetime.keep ? whole_seconds(limits.stale) : 0;
  return lifetime;
}

Lifetime negative(const dns::AnswerFacts& facts, const conf::Cache& limits) {
  Lifetime lifetime;
  lifetime.most_ttl = whole_seconds(limits.max_ttl);
  if (!facts.has_soa) return lifetime;  // RFC 2308 §5: without SOA it should not be cached
  std::uint32_t seconds = std::min(facts.negative_ttl, whole_seconds(limits.negative_ttl));
  seconds = std::min(seconds, lifetime.most_ttl);
  if (facts.has_ttl)
    seconds = std::min(seconds, facts.least_ttl);  // an alias or a proof in it may end sooner
  lifetime.most_ttl = seconds;
  lifetime.fresh_seconds = seconds;
  lifetime.keep = seconds != 0;
  lifetime.stale_seconds = lifetime.keep ? whole_seconds(limits.stale) : 0;
  lifetime.cuts_below = facts.kind == dns::AnswerKind::nxdomain && facts.answer_section_empty;
  return lifetime;
}

}  // namespace

Lifetime lifetime_of(const dns::AnswerFacts& facts, const conf::Cache& limits) {
  switch (facts.kind) {
    case dns::AnswerKind::positive: return positive(facts, limits);
    case dns::AnswerKind::nodata:
    case dns::AnswerKind::nxdomain: return negative(facts, limits);
    case dns::AnswerKind::failure: break;
  }
  return lifetime_of_failure(limits);
}

Lifetime lifetime_of_failure(const conf::Cache& limits) {
  Lifetime lifetime;
  lifetime.keep = true;
  lifetime.failure = true;
  lifetime.fresh_seconds =
      std::clamp(whole_seconds(limits.failure_ttl), 1U, 300U);  // RFC 9520 §3.2: 1 s to 5 min
  lifetime.most_ttl = lifetime.fresh_seconds;
  return lifetime;
}

}  // namespace cache
