// Following CNAMEs, and leaving out what cannot be an address of a host.
#include "gateway/upstreams/host_addresses.h"

#include <algorithm>
#include <array>
#include <optional>

#include "dns/message.h"

namespace gateway::upstreams {
namespace {

constexpr std::size_t cnames_most = 16;

std::optional<base::Address> address_of(base::Bytes rdata, dns::RrType type) {
  if (type == dns::RrType::a && rdata.size() == 4)
    return base::Address::v4({rdata[0], rdata[1], rdata[2], rdata[3]});
  std::array<std::uint8_t, 16> octets;
  if (type != dns::RrType::aaaa || rdata.size() != octets.size()) return std::nullopt;
  std::ranges::copy(rdata, octets.begin());
  return base::Address::v6(octets);
}

/// The records of one owner: addresses, or the name that it stands for.
struct Owned {
  FoundAddresses found;
  std::optional<dns::Name> canonical;
};

Owned records_of(dns::NameView owner, dns::RrType type, base::Bytes response) {
  Owned owned;
  std::optional<std::chrono::seconds> least;
  dns::MessageWalk walk{response};
  dns::Name name;
  for (dns::Record record; walk.next(record) && record.section == dns::Section::answer;) {
    if (record.klass != dns::RrClass::in) continue;
    if (dns::read_name(response, record.offset, name) == 0 || name.view() != owner) continue;
    if (record.type == dns::RrType::cname) {
      dns::Name target;
      if (dns::read_name(response, record.rdata_offset(), target) != 0) owned.canonical = target;
    } else if (record.type == type) {
      const auto address = address_of(record.rdata(response), type);
      if (address && is_of_a_host(*address)) owned.found.addresses.push_back(*address);
    } else {
      continue;
    }
    const std::chrono::seconds ttl{record.ttl >> 31 == 0 ? record.ttl : 0};  // RFC 2181 §8
    least = std::min(least.value_or(ttl), ttl);
  }
  owned.found.ttl = least.value_or(std::chrono::seconds{0});
  return owned;
}

}  // namespace

bool is_of_a_host(const base::Address& address) {
  const std::uint8_t first = address.octets()[0];
  if (address.is_v4()) return first != 0 && first < 224;
  return first != 0xff && !address.is_unspecified() && !address.is_link_local();
}

FoundAddresses addresses_in(base::Bytes response, dns::NameView name, dns::RrType type) {
  dns::Name owner{name};
  std::optional<std::chrono::seconds> least;
  for (std::size_t i = 0; i <= cnames_most; ++i) {
    Owned owned = records_of(owner, type, response);
    least = std::min(least.value_or(owned.found.ttl), owned.found.ttl);
    if (!owned.found.addresses.empty()) {
      owned.found.ttl = *least;
      return std::move(owned.found);
    }
    if (!owned.canonical) break;
    owner = *owned.canonical;
  }
  return {};
}

Addresses in_turn(std::span<const base::Address> v4, std::span<const base::Address> v6) {
  Addresses all;
  for (std::size_t i = 0; i < std::max(v4.size(), v6.size()); ++i) {
    if (i < v4.size()) all.push_back(v4[i]);
    if (i < v6.size()) all.push_back(v6[i]);
  }
  if (all.size() > addresses_most) all.resize(addresses_most);
  return all;
}

}  // namespace gateway::upstreams
