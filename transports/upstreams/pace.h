// How quickly an upstream answers: the smoothed time of an exchange (RFC 6298 §2) and the time that
// one in twenty of the recent ones exceeds; and how long a silence is nothing to worry about. Plain
// values without heap; their owner's thread alone touches them.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace transports {

class Pace {
 public:
  using Duration = std::chrono::microseconds;
  /// Fewer exchanges than this say nothing about the slowest twentieth.
  static constexpr unsigned known_from = 8;
  /// So many times the slowest twentieth, within these bounds, and who is silent is suspected.
  static constexpr int patience_factor = 2;
  static constexpr std::chrono::milliseconds patience_least{100};
  static constexpr std::chrono::milliseconds patience_unknown{400};

  /// One exchange took this long. One that was given up counts with the time that it had: it would
  /// have taken longer.
  void took(base::Clock::duration time);

  [[nodiscard]] bool known() const { return samples_ >= known_from; }
  /// Zero before the first.
  [[nodiscard]] Duration smoothed() const { return Duration{smoothed_ >> smoothing_bits}; }
  /// Of the last hundred or so exchanges.
  [[nodiscard]] Duration p95() const { return p95_; }
  /// How long nothing need be heard; never longer than `most`.
  [[nodiscard]] base::Clock::duration patience(base::Clock::duration most) const;

 private:
  /// Two buckets for each doubling of a microsecond, up to 16 s.
  static constexpr std::size_t bucket_count = 48;
  static constexpr unsigned smoothing_bits = 3;  // RFC 6298 §2.3: alpha is 1/8
  /// An exchange weighs so much, so that halving leaves something of it.
  static constexpr std::uint16_t weight = 16;
  /// When so many weigh in, all are halved: the older, the lighter.
  static constexpr std::uint32_t weight_most = 128 * weight;

  static std::size_t bucket_of(std::uint64_t microseconds);
  static std::uint64_t begin_of(std::size_t bucket);
  [[nodiscard]] Duration slowest_twentieth() const;

  std::array<std::uint16_t, bucket_count> buckets_{};
  std::uint32_t weight_ = 0;
  unsigned samples_ = 0;
  std::int64_t smoothed_ = 0;  // microseconds, shifted by smoothing_bits
  Duration p95_{0};
};

}  // namespace transports
