// Routes as sorted suffixes.
#include "gateway/policy/routes.h"

#include <algorithm>
#include <array>

namespace gateway::policy {

Routes::Routes(std::span<const conf::Route> routes) {
  for (const conf::Route& route : routes) {
    for (const dns::Name& name : route.names) {
      std::string wire;
      for (const std::uint8_t octet : name.view().wire())
        wire.push_back(static_cast<char>(dns::to_lower(octet)));
      rows_.push_back({std::move(wire), route.set, route.line.number});
      names_.push_back(name);
    }
  }
  std::ranges::sort(rows_, {}, &Row::wire);
}

Routes::Found Routes::find(dns::NameView name) const {
  if (rows_.empty()) return {};
  std::array<char, dns::name_size_max> lower;
  const auto end = std::ranges::transform(name.wire(), lower.begin(), [](std::uint8_t octet) {
                     return static_cast<char>(dns::to_lower(octet));
                   }).out;
  for (const char* at = lower.data();; at += 1 + static_cast<std::uint8_t>(*at)) {
    const std::string_view suffix{at, end};
    const auto row = std::ranges::lower_bound(
        rows_, suffix, {}, [](const Row& each) { return std::string_view{each.wire}; });
    if (row != rows_.end() && row->wire == suffix) return {row->set, suffix.size(), row->line};
    if (*at == 0) return {};  // the root
  }
}

}  // namespace gateway::policy
