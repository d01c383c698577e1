// Time as the gateway uses it: one monotonic clock, read once per batch and handed on.
#pragma once

#include <chrono>
#include <cstdint>

namespace base {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

/// Whole seconds of the monotonic clock, as cache entries keep them (136 years of uptime).
using Seconds32 = std::uint32_t;

inline Seconds32 seconds_of(TimePoint when) {
  return static_cast<Seconds32>(
      std::chrono::duration_cast<std::chrono::seconds>(when.time_since_epoch()).count());
}

}  // namespace base
