// EDNS(0) options, one after another, and what a query's options mean. RFC 6891 §6.1.2; RFC 7871,
// 7873, 7828, 7830, 8914. Values over somebody else's octets.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "dns/codes.h"
#include "dns/request.h"

namespace dns {

/// Reads an OPT record's rdata. Options that nobody knows come like the others.
class OptionReader {
 public:
  explicit OptionReader(base::Bytes rdata) : in_(rdata) {}

  /// false at the end, and for good at an option that does not fit into the rdata.
  bool next(EdnsOption& code, base::Bytes& data) {
    if (in_.remaining() == 0 || !in_.ok()) return false;
    code = EdnsOption{in_.u16()};
    data = in_.bytes(in_.u16());
    return in_.ok();
  }
  /// Every option so far fitted.
  [[nodiscard]] bool ok() const { return in_.ok(); }

 private:
  base::Reader in_;
};

/// Takes what the gateway acts on from a query's options; false when they are malformed: FORMERR
/// (RFC 6891 §7). Of several COOKIE options the first counts (RFC 7873 §5.2).
bool read_query_options(base::Bytes rdata, Edns& edns);

/// RFC 7871 §6, §7.1.2: family 1 or 2, prefix within the address, no scope, as many octets as the
/// prefix needs, no bit set beyond it.
bool query_subnet_is_sound(base::Bytes data);

/// RFC 7873 §5.2.2: 8 octets, or 16 to 40.
constexpr bool cookie_size_is_sound(std::size_t size) {
  return size == 8 || (size >= 16 && size <= 40);
}

}  // namespace dns
