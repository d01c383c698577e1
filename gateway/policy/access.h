// Who may ask: a set of prefixes, compiled into sorted ranges. Immutable; part of the configuration
// snapshot.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/address.h"

namespace gateway::policy {

class AccessList {
 public:
  AccessList() = default;  // nobody
  explicit AccessList(std::span<const base::Prefix> allowed);

  /// A binary search over disjoint ranges: no allocation, a few comparisons.
  [[nodiscard]] bool allows(const base::Address& address) const;

 private:
  struct Wide {  // an IPv6 address as two numbers
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    auto operator<=>(const Wide&) const = default;
  };
  static Wide wide(const base::Address& address);
  static std::uint32_t narrow(const base::Address& address);

  std::vector<std::pair<std::uint32_t, std::uint32_t>> v4_;  // first and last address of each range
  std::vector<std::pair<Wide, Wide>> v6_;
};

}  // namespace gateway::policy
