// Composing a query of our own for an upstream. RFC 1035 §4.1, RFC 6891; no client octet but the
// question travels on (DESIGN §3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "dns/request.h"

namespace dns {

struct OutgoingOptions {
  std::uint16_t id = 0;  ///< random over Do53; 0 over DoH and DoQ
  bool checking_disabled = false;
  bool dnssec_ok = false;
  bool authentic_data = false;  ///< AD in a query: "I understand AD" (RFC 6840 §5.7)
  bool edns = true;  ///< false: no OPT at all, for a server that does not know it (RFC 6891 §7)
  std::uint16_t udp_size = 1232;
  std::uint16_t padding_block = 0;  ///< 128 on encrypted transports (RFC 8467 §4.1), 0 elsewhere
  bool keepalive = false;  ///< ask for the idle timeout, over streams only (RFC 7828 §3.2.1)
  base::Bytes cookie{};    ///< empty, 8 octets, or client and server cookie
};

/// Writes the query (RD set, one question, OPT) and gives its size; 0 when `out` is too small (512
/// suffice).
std::size_t compose_query(const Question& question, const OutgoingOptions& options,
                          base::MutableBytes out);

}  // namespace dns
