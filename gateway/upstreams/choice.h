// In which order the upstreams of a set are asked. Pure functions of what is known of them; no
// heap, no clock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/clock.h"
#include "conf/config.h"
#include "dns/name.h"
#include "gateway/upstreams/health.h"
#include "transports/upstreams/pace.h"

namespace gateway::upstreams {

/// What the choice looks at.
struct Candidate {
  Standing standing = Standing::well;
  base::TimePoint probe_at{};  ///< when it is not well
  bool drained = false;        ///< takes no new queries while any other is there
  bool known = false;          ///< has a pace
  transports::Pace::Duration smoothed{0};
  std::uint32_t weight = 1;
  std::uint64_t identity = 0;  ///< the same for the same upstream, whatever the set's order
};

/// Indices of candidates, most wanted first.
struct Order {
  std::array<std::uint8_t, conf::Set::upstreams_most> indices{};
  std::uint8_t size = 0;

  [[nodiscard]] std::span<const std::uint8_t> view() const { return {indices.data(), size}; }
};

/// `name_hash` decides for Strategy::hash, `chance` (nobody can predict it) for the others. All
/// candidates are in the order: those that are well first, as the strategy wants; then the
/// suspected; then those that rest, the one whose rest ends first foremost; the drained last.
Order choose(conf::Strategy strategy, std::span<const Candidate> candidates,
             std::uint64_t name_hash, std::uint64_t chance);

/// Of the name in small letters, the same for all types: an upstream's cache holds them together.
std::uint64_t hash_of(dns::NameView name);

}  // namespace gateway::upstreams
