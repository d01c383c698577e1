// Addresses of a host: which of an answer's count, and in which order they are tried. RFC 1034
// §3.6.2 (CNAME), RFC 5452 §6 (what else an answer holds is not believed). Values; nobody owns
// them.
#pragma once

#include <chrono>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "dns/codes.h"
#include "dns/name.h"

namespace gateway::upstreams {

using Addresses = std::vector<base::Address>;

/// More of a host than can be tried while a question waits are no use.
inline constexpr std::size_t addresses_most = 4;

/// Whether a host may be there: no multicast, reserved or unspecified address, and none that means
/// something on one link only.
bool is_of_a_host(const base::Address& address);

struct FoundAddresses {
  Addresses addresses;          ///< of the asked type, bogus ones left out
  std::chrono::seconds ttl{0};  ///< the least on the way to them; 0 when there are none
};

/// What a response says of `name`, through its CNAMEs in whatever order they stand; `type` is A or
/// AAAA. Nothing for one that cannot be read.
FoundAddresses addresses_in(base::Bytes response, dns::NameView name, dns::RrType type);

/// Both families' in turn, addresses_most at most.
Addresses in_turn(std::span<const base::Address> v4, std::span<const base::Address> v6);

}  // namespace gateway::upstreams
