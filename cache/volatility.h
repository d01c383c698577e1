// How often a question's answer changes, and for how long it may therefore serve stale: what moves
// often is soon wrong. RFC 8767 §5 bounds stale data by one number for all; this makes it each
// name's own. Values.
#pragma once

#include <bit>
#include <cstdint>

#include "dns/answer.h"

namespace cache {

/// What became of the last eight refreshes, the latest in the lowest bit: 1 for an answer with
/// other data than the one before. A name that was never refreshed counts as one that does not
/// change.
struct History {
  std::uint8_t bits = 0;

  [[nodiscard]] History with(bool changed) const {
    return {static_cast<std::uint8_t>(bits << 1 | (changed ? 1 : 0))};
  }
  [[nodiscard]] unsigned changes() const { return static_cast<unsigned>(std::popcount(bits)); }

  bool operator==(const History&) const = default;
};

/// The rule: each change among the last eight refreshes halves how long the answer may serve stale.
/// Of a day: twelve hours after one, three after three, less than six minutes after eight.
inline std::uint32_t stale_seconds_for(History history, std::uint32_t most) {
  return most >> history.changes();
}

/// Whether two answers to one question say the same: the rcode, and the answer sections' records as
/// a set, whatever their order and TTLs. Signatures do not count, for a zone is signed anew without
/// being changed, and neither do the other sections. Allocates.
bool same_data(const dns::AnswerView& before, const dns::AnswerView& after);

}  // namespace cache
