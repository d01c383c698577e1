// How much of something a peer may do: so much at once, and more as time passes. A token bucket.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace transports {

class Allowance {
 public:
  constexpr Allowance(std::uint32_t at_once, std::uint32_t each_second)
      : most_(at_once), each_second_(each_second), left_(at_once) {}

  /// False: it has had all.
  bool take(base::TimePoint now) {
    if (since_ == base::TimePoint{}) since_ = now;
    if (left_ == 0) refill(now);
    if (left_ == 0) return false;
    --left_;
    return true;
  }
  /// The peer has done something useful.
  void give(std::uint32_t more) { left_ = std::min(most_, left_ + more); }

 private:
  void refill(base::TimePoint now) {
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now - since_).count();
    const std::int64_t more = passed * each_second_ / 1000;
    if (more <= 0) return;
    since_ = now;
    left_ = static_cast<std::uint32_t>(std::min<std::int64_t>(most_, more));
  }

  std::uint32_t most_;
  std::uint32_t each_second_;
  std::uint32_t left_;
  base::TimePoint since_{};  // the last refill, or the first use
};

}  // namespace transports
