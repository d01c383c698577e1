// How long an answer may be kept: the one place that decides it. RFC 2308 §5 (negative), RFC 9520 §3.2 (failures),
// RFC 8767 §4-5 (stale), RFC 1035 §3.2.1 (TTL 0).
#pragma once

#include <cstdint>

#include "conf/config.h"
#include "dns/answer.h"

namespace cache {

struct Lifetime {
  bool keep = false;
  std::uint32_t fresh_seconds = 0;
  std::uint32_t stale_seconds = 0;  ///< after that
  bool cuts_below = false;          ///< an NXDOMAIN that holds for every name below it (RFC 8020)
};

Lifetime lifetime_of(const dns::AnswerFacts& facts, const conf::Cache& limits);

/// For an exchange that gave no answer at all: the failure to remember (RFC 9520 §3.2).
Lifetime lifetime_of_failure(const conf::Cache& limits);

}  // namespace cache
