// Pace: a histogram that forgets.
#include "transports/upstreams/pace.h"

#include <algorithm>
#include <bit>

namespace transports {

void Pace::took(base::Clock::duration time) {
  const std::int64_t microseconds =
      std::max<std::int64_t>(std::chrono::duration_cast<Duration>(time).count(), 0);
  if (samples_ == 0) {
    smoothed_ = microseconds << smoothing_bits;
  } else {
    smoothed_ += microseconds - (smoothed_ >> smoothing_bits);
  }
  if (weight_ >= weight_most) {
    weight_ = 0;
    for (std::uint16_t& each : buckets_) weight_ += each /= 2;
  }
  buckets_[bucket_of(static_cast<std::uint64_t>(microseconds))] += weight;
  weight_ += weight;
  ++samples_;
  if (samples_ < 4 * known_from || samples_ % known_from == 0) p95_ = slowest_twentieth();
}

base::Clock::duration Pace::patience(base::Clock::duration most) const {
  if (!known()) return std::min<base::Clock::duration>(patience_unknown, most);
  return std::clamp<base::Clock::duration>(
      patience_factor * p95_, std::min<base::Clock::duration>(patience_least, most), most);
}

/// 1, 1.5, 2, 3, 4, 6, 8, 12, ...: where the buckets begin.
std::size_t Pace::bucket_of(std::uint64_t microseconds) {
  if (microseconds < 2) return 0;
  const auto doublings = static_cast<std::size_t>(std::bit_width(microseconds)) - 1;
  const std::size_t upper_half = (microseconds >> (doublings - 1)) & 1;
  return std::min(2 * doublings + upper_half, bucket_count - 1);
}

std::uint64_t Pace::begin_of(std::size_t bucket) {
  const std::uint64_t power = std::uint64_t{1} << (bucket / 2);
  return bucket % 2 == 0 ? power : power + power / 2;
}

Pace::Duration Pace::slowest_twentieth() const {
  std::uint32_t beyond = weight_ / 20;
  for (std::size_t bucket = bucket_count; bucket-- > 0;) {
    if (buckets_[bucket] <= beyond) {
      beyond -= buckets_[bucket];
      continue;
    }
    // The exchanges of a bucket are taken as spread evenly over it.
    const std::uint64_t begin = begin_of(bucket);
    const std::uint64_t width = begin_of(bucket + 1) - begin;
    const std::uint64_t inside = width * (buckets_[bucket] - beyond) / buckets_[bucket];
    return Duration{static_cast<std::int64_t>(begin + inside)};
  }
  return Duration{0};
}

}  // namespace transports
