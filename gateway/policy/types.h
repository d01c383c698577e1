// Which types of question are none of a forwarder's business.
#pragma once

#include "dns/codes.h"

namespace gateway::policy {

/// Zone transfers (RFC 5936), and what asks for a server's own state.
constexpr bool is_forwarded(dns::RrType type) {
  switch (type) {
    case dns::RrType::axfr:
    case dns::RrType::ixfr:
    case dns::RrType::maila:
    case dns::RrType::mailb:
    case dns::RrType::tsig:
    case dns::RrType::opt: return false;
    default: return true;
  }
}

}  // namespace gateway::policy
