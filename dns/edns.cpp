// What a query's EDNS options ask for. RFC 6891 §6.1.2.
#include "dns/edns.h"

#include <cstring>

namespace dns {

bool read_query_options(base::Bytes rdata, Edns& edns) {
  OptionReader options(rdata);
  EdnsOption code{};
  base::Bytes data;
  while (options.next(code, data)) {
    switch (code) {
      case EdnsOption::cookie:
        if (edns.cookie_size != 0) break;
        if (!cookie_size_is_sound(data.size())) return false;
        std::memcpy(edns.cookie.data(), data.data(), data.size());
        edns.cookie_size = static_cast<std::uint8_t>(data.size());
        break;
      case EdnsOption::client_subnet:
        if (!query_subnet_is_sound(data)) return false;
        edns.subnet = true;
        break;
      case EdnsOption::padding: edns.padding = true; break;
      case EdnsOption::tcp_keepalive:
        edns.keepalive = edns.keepalive || data.empty();
        break;  // RFC 7828 §3.2.1
      case EdnsOption::nsid: edns.nsid = true; break;
      default: ++edns.unknown_options; break;
    }
  }
  return options.ok();
}

bool query_subnet_is_sound(base::Bytes data) {
  base::Reader in(data);
  const std::uint16_t family = in.u16();
  const std::size_t source = in.u8();
  const std::size_t scope = in.u8();
  if (!in.ok() || scope != 0 || (family != 1 && family != 2)) return false;
  if (source > (family == 1 ? 32U : 128U) || in.remaining() != (source + 7) / 8) return false;
  const std::size_t used_bits = source % 8;
  return used_bits == 0 || (data.back() & (0xFFU >> used_bits)) == 0;
}

}  // namespace dns
