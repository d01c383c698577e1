// Routes as sorted suffixes.
#include "gateway/policy/routes.h"

#include <algorithm>
#include <array>

namespace gateway::policy {
namespace {

/// The routes' names, each with the addresses that are asked for it.
std::vector<std::pair<dns::Name, std::vector<std::string_view>>> ways(const conf::Config& config) {
  std::vector<std::pair<dns::Name, std::vector<std::string_view>>> all;
  for (const conf::Route& route : config.routes) {
    std::vector<std::string_view> urls{route.set};
    for (const conf::Upstream& upstream : config.upstreams) {
      if (upstream.set == route.set && route.set != conf::default_set)
        urls.emplace_back(upstream.url);
    }
    std::ranges::sort(urls);
    for (const dns::Name& name : route.names) all.emplace_back(name, urls);
  }
  return all;
}

}  // namespace

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

std::vector<dns::Name> led_elsewhere(const conf::Config& before, const conf::Config& after) {
  std::vector<dns::Name> names;
  const auto old_ways = ways(before);
  const auto new_ways = ways(after);
  for (const auto& way : old_ways) {
    if (!std::ranges::contains(new_ways, way)) names.push_back(way.first);
  }
  for (const auto& way : new_ways) {
    if (!std::ranges::contains(old_ways, way) && !std::ranges::contains(names, way.first))
      names.push_back(way.first);
  }
  return names;
}

}  // namespace gateway::policy
