// Octets as text: hexadecimal, base64 and base32hex (RFC 4648 §4, §7, §8), addresses, and escaped
// strings (RFC 1035 §5.1).
#pragma once

#include <string>

#include "base/bytes.h"

namespace dns {

std::string to_hex(base::Bytes octets);
std::string to_base64(base::Bytes octets);
/// Without padding, as NSEC3 has it (RFC 5155 §3.3).
std::string to_base32hex(base::Bytes octets);
/// 4 octets as "192.0.2.1", 16 as "2001:db8::1" (RFC 5952); an IPv4-mapped one stays IPv6, for that
/// is what was sent.
std::string address_to_text(base::Bytes octets);
/// "\"" and "\\" behind a backslash, whatever is not printable ASCII as \DDD.
std::string escaped(base::Bytes octets);
std::string quoted(base::Bytes octets);

}  // namespace dns
