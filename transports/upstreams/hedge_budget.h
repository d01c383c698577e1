// How many second tries a set may send: a share of its queries, so that hedging never becomes the
// load that makes upstreams slow. A token bucket that queries fill. A plain value of its set.
#pragma once

#include <algorithm>
#include <cstdint>

namespace transports {

class HedgeBudget {
 public:
  /// So many hedges may be saved up for a bad moment; as many may be owed after one.
  static constexpr std::int64_t saved_most = 10;

  explicit HedgeBudget(std::uint32_t percent) : percent_(percent) {}

  void query() { hundredths_ = std::min(hundredths_ + percent_, saved_most * 100); }
  /// True when there is one, which is then spent.
  bool take() {
    if (hundredths_ < 100) return false;
    hundredths_ -= 100;
    return true;
  }
  /// A try that is sent whatever it costs, since the upstream is suspected: hedges pay it back.
  void owe() { hundredths_ = std::max(hundredths_ - 100, -saved_most * 100); }

 private:
  std::int64_t percent_;
  std::int64_t hundredths_ = 0;
};

}  // namespace transports
