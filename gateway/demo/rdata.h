// Writing the rdata of the demonstration's records. RFC 1035 §3.3, RFC 2782 (SRV), RFC 3596 (AAAA),
// RFC 9460 (HTTPS).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace gateway::demo {

/// All of these are for literals: what is not well-formed throws std::invalid_argument.
using Rdata = std::vector<std::uint8_t>;

Rdata address(std::string_view text);  ///< of either family
Rdata target(std::string_view name);   ///< CNAME, NS, PTR
Rdata mail(std::uint16_t preference, std::string_view exchange);
Rdata text(std::initializer_list<std::string> strings);
/// As many strings of 255 octets as `octets` take: an answer that does not fit a datagram.
Rdata long_text(std::size_t octets);
Rdata service(std::uint16_t priority, std::uint16_t weight, std::uint16_t port,
              std::string_view host);
Rdata start_of_authority(std::string_view server, std::string_view mailbox,
                         std::uint32_t negative_ttl);
/// ServiceMode at the owner itself: alpn and ipv4hint (RFC 9460 §2.2, §7.1.1, §7.3).
Rdata service_binding(std::uint16_t priority, std::initializer_list<std::string_view> alpn,
                      std::string_view ipv4hint);

}  // namespace gateway::demo
