// Routes as sorted suffixes.
#include "gateway/policy/routes.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/bytes.h"

namespace gateway::policy {
namespace {

std::vector<std::string_view> addresses_of(std::string_view set, const conf::Config& config) {
  std::vector<std::string_view> urls;
  for (const conf::Upstream& upstream : config.upstreams) {
    if (upstream.set == set) urls.emplace_back(upstream.url);
  }
  std::ranges::sort(urls);
  return urls;
}

/// In small letters, as octets.
std::string lowered(dns::NameView name) {
  std::string wire;
  for (const std::uint8_t octet : name.wire())
    wire.push_back(static_cast<char>(dns::to_lower(octet)));
  return wire;
}

/// The routes' names, each with the addresses that are asked for it.
std::vector<std::pair<dns::Name, std::vector<std::string_view>>> ways(const conf::Config& config) {
  std::vector<std::pair<dns::Name, std::vector<std::string_view>>> all;
  for (const conf::Route& route : config.routes) {
    std::vector<std::string_view> urls{route.set};
    if (route.set != conf::default_set)
      std::ranges::copy(addresses_of(route.set, config), std::back_inserter(urls));
    for (const dns::Name& name : route.names) all.emplace_back(name, urls);
  }
  return all;
}

}  // namespace

Routes::Routes(std::span<const conf::Route> routes) {
  for (const conf::Route& route : routes) {
    for (const dns::Name& name : route.names) {
      rows_.push_back({lowered(name.view()), route.set, route.line.number});
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

std::uint64_t fingerprint_of_ways(const conf::Config& config) {
  std::vector<std::string> lines;
  const auto add = [&lines](std::string line, std::span<const std::string_view> addresses) {
    for (const std::string_view address : addresses) line.append(1, '\n').append(address);
    lines.push_back(std::move(line));
  };
  add({}, addresses_of(conf::default_set, config));
  for (const auto& [name, addresses] : ways(config)) add(lowered(name.view()), addresses);
  std::ranges::sort(lines);
  std::string all;
  for (const std::string& line : lines) all.append(line).append("\n\n");
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const std::uint8_t*>(all.data()), all.size(), digest.data());
  return std::uint64_t{base::load_u32(digest.data())} << 32 | base::load_u32(&digest[4]);
}

}  // namespace gateway::policy
