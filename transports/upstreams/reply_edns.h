// What the OPT record of an upstream's reply says to us alone; keep_answer() takes it out of what
// is kept. RFC 6891 §6.1, RFC 7873 §4 (cookies), RFC 7828 §3.1 (keepalive).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "dns/codes.h"

namespace transports {

struct ReplyEdns {
  bool readable = false;  ///< all records could be walked and OPT, if any, was well-formed
  dns::Rcode rcode = dns::Rcode::noerror;  ///< all twelve bits
  bool present = false;
  base::Bytes cookie;  ///< of the first COOKIE option (RFC 7873 §5.3); empty without one
  bool cookie_present = false;
  std::optional<std::chrono::milliseconds> keepalive;
};

/// Views into `reply`, which is any octets at all.
ReplyEdns read_reply_edns(base::Bytes reply);

}  // namespace transports
