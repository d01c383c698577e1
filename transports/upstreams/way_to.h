// Which way the kernel sends what goes to an address: by which interface, over which gateway, from
// which of our addresses. rtnetlink(7). Plain values; nobody owns them.
#pragma once

#include <cstdint>
#include <optional>

#include "base/address.h"

namespace transports {

struct Way {
  std::uint32_t interface = 0;
  base::Address gateway;  ///< 0.0.0.0: on the link itself
  base::Address source;

  bool operator==(const Way&) const = default;
};

/// Nothing where no way leads there, or where the system does not say. One question to the kernel,
/// which answers at once.
std::optional<Way> way_to(const base::Address& address);

}  // namespace transports
