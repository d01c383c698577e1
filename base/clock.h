// Time as the gateway uses it: one monotonic clock, read once per batch and handed on.
#pragma once

#include <chrono>
#include <cstdint>

namespace base {

/// The machine's monotonic clock. Its now() is a file of its own, so that tests can link a clock in
/// its place that stands still until it is told to go on; timers follow it.
struct Clock {
  using duration = std::chrono::steady_clock::duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Clock>;
  static constexpr bool is_steady = true;

  static time_point now() noexcept;
};
using TimePoint = Clock::time_point;

/// Whole seconds of the monotonic clock, as cache entries keep them (136 years of uptime).
using Seconds32 = std::uint32_t;

/// What was kept before the machine started has a time, too: the clock begins here, not at 0.
inline constexpr std::chrono::seconds before_uptime = std::chrono::days{60};

inline Seconds32 seconds_of(TimePoint when) {
  return static_cast<Seconds32>(
      (std::chrono::duration_cast<std::chrono::seconds>(when.time_since_epoch()) + before_uptime)
          .count());
}

}  // namespace base
