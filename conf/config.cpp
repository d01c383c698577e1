// What parts of the configuration tell about themselves.
#include "conf/config.h"

#include <algorithm>

namespace conf {
namespace {

bool holds(const std::vector<base::Prefix>& prefixes, const base::Address& address) {
  return std::ranges::any_of(
      prefixes, [&address](const base::Prefix& each) { return each.contains(address); });
}

}  // namespace

bool ListenAddress::takes(Protocol spoken, const base::Endpoint& place) const {
  if (row_of(spoken).socket != row_of(protocol).socket) return false;
  const bool any = endpoint.address.is_unspecified() && place.address.is_loopback();
  return place.port == endpoint.port && (any || place.address == endpoint.address);
}

Upstream Upstream::fallen_back() const {
  Upstream other = *this;
  other.protocol = *fallback;
  other.url.replace(0, url.find(':'), row_of(*fallback).scheme);
  other.fallback.reset();
  other.early_data = false;
  return other;
}

bool Proxy::is_balanced(Protocol protocol, const base::Address& from) const {
  return !balancers.empty() && std::ranges::contains(balanced, protocol) && holds(balancers, from);
}

bool Proxy::is_reverse_proxy(const base::Address& from) const {
  return holds(reverse_proxies, from);
}

}  // namespace conf
