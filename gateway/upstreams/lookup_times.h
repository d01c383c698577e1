// When a host is looked up: at once when nothing is known of it, before what is known ends, and at
// growing distances while lookups fail or bring nothing that helps. Plain values; owned by whoever
// looks up.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace gateway::upstreams {

class LookupTimes {
 public:
  using Duration = base::Clock::duration;

  static constexpr std::chrono::seconds ttl_least{60};
  static constexpr std::chrono::seconds ttl_most{std::chrono::days{1}};
  static constexpr std::chrono::seconds pause_least{1};
  /// A resolver that is back is noticed within half a minute.
  static constexpr std::chrono::seconds pause_most{15};

  /// Nothing is known: at once.
  LookupTimes() = default;

  [[nodiscard]] base::TimePoint next() const { return next_; }
  static constexpr std::chrono::seconds clamped(std::chrono::seconds ttl) {
    return std::clamp(ttl, ttl_least, ttl_most);
  }

  /// Something is known from before, for so long; none: it has ended.
  void remembered(base::TimePoint now, std::chrono::seconds left) {
    next_ = now + early(std::clamp(left, std::chrono::seconds{0}, ttl_most));
  }
  void found(base::TimePoint now, std::chrono::seconds ttl, bool others_than_before) {
    asked_at_ = now;
    next_ = now + early(clamped(ttl));
    // The same addresses, of which none could be reached, are no reason to ask again soon.
    pause_ = doubted_ && !others_than_before ? longer() : pause_least;
    doubted_ = false;
  }
  void failed(base::TimePoint now) {
    asked_at_ = now;
    next_ = now + pause_;
    pause_ = longer();
  }
  /// No known address could be reached: others may be right by now.
  void unreachable(base::TimePoint now) {
    doubted_ = true;
    hurry(now);
  }
  /// What failed may succeed, and what was found may be another.
  void network_changed(base::TimePoint now) {
    pause_ = pause_least;
    hurry(now);
  }

 private:
  /// A tenth of the time is left for lookups that fail.
  static constexpr Duration early(std::chrono::seconds ttl) { return Duration{ttl} * 9 / 10; }
  [[nodiscard]] Duration longer() const { return std::min<Duration>(2 * pause_, pause_most); }
  void hurry(base::TimePoint now) { next_ = std::min(next_, std::max(now, asked_at_ + pause_)); }

  base::TimePoint next_{};
  base::TimePoint asked_at_{};
  Duration pause_ = pause_least;
  bool doubted_ = false;
};

}  // namespace gateway::upstreams
