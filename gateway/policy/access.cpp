// Prefixes become ranges, ranges that touch or overlap become one, and a look-up is a binary
// search.
#include "gateway/policy/access.h"

#include <algorithm>

#include "base/bytes.h"

namespace gateway::policy {
namespace {

template <class Number>
void sort_and_merge(std::vector<std::pair<Number, Number>>& ranges) {
  std::ranges::sort(ranges);
  std::vector<std::pair<Number, Number>> merged;
  for (const auto& range : ranges) {
    if (!merged.empty() && range.first <= merged.back().second) {
      merged.back().second = std::max(merged.back().second, range.second);
    } else {
      merged.push_back(range);
    }
  }
  ranges = std::move(merged);
}

template <class Number>
bool within(const std::vector<std::pair<Number, Number>>& ranges, const Number& number) {
  auto after = std::ranges::upper_bound(ranges, number, {}, &std::pair<Number, Number>::first);
  return after != ranges.begin() && number <= std::prev(after)->second;
}

/// A mask of `bits` leading ones in a 64-bit number.
constexpr std::uint64_t leading_ones(unsigned bits) {
  return bits == 0 ? 0 : ~std::uint64_t{0} << (64 - bits);
}

}  // namespace

AccessList::Wide AccessList::wide(const base::Address& address) {
  const std::uint8_t* octets = address.octets().data();
  return {(std::uint64_t{base::load_u32(octets)} << 32) | base::load_u32(octets + 4),
          (std::uint64_t{base::load_u32(octets + 8)} << 32) | base::load_u32(octets + 12)};
}

std::uint32_t AccessList::narrow(const base::Address& address) {
  return base::load_u32(address.octets().data());
}

AccessList::AccessList(std::span<const base::Prefix> allowed) {
  for (const base::Prefix& prefix : allowed) {
    const unsigned length = prefix.length();
    if (prefix.address().is_v4()) {
      const std::uint32_t mask = static_cast<std::uint32_t>(leading_ones(32 + length));
      const std::uint32_t first = narrow(prefix.address()) & mask;
      v4_.emplace_back(first, first | ~mask);
    } else {
      const Wide mask{leading_ones(std::min(length, 64U)),
                      leading_ones(length > 64 ? length - 64 : 0)};
      const Wide at = wide(prefix.address());
      const Wide first{at.high & mask.high, at.low & mask.low};
      v6_.emplace_back(first, Wide{first.high | ~mask.high, first.low | ~mask.low});
    }
  }
  sort_and_merge(v4_);
  sort_and_merge(v6_);
}

bool AccessList::allows(const base::Address& address) const {
  return address.is_v4() ? within(v4_, narrow(address)) : within(v6_, wide(address));
}

}  // namespace gateway::policy
