// The pieces of which our own OPT records and questions are made. RFC 1035 §4.1.2, RFC 6891 §6.1.2,
// RFC 7830 §3. The writer is the caller's; one that runs out of room says so in the end.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "dns/codes.h"
#include "dns/request.h"

namespace dns {

inline constexpr std::size_t opt_size_least = 11;     // root, type, class, TTL, RDLENGTH
inline constexpr std::size_t option_header_size = 4;  // code, length

inline void write_question(base::Writer& writer, const Question& question) {
  writer.bytes(question.name.view().wire());
  writer.u16(static_cast<std::uint16_t>(question.type));
  writer.u16(static_cast<std::uint16_t>(question.klass));
}

struct OptHeader {
  std::uint16_t udp_size = 0;
  std::uint8_t extended_rcode = 0;
  bool dnssec_ok = false;
  std::size_t rdata_size = 0;
};

/// Always version 0.
inline void write_opt_header(base::Writer& writer, const OptHeader& opt) {
  std::array<std::uint8_t, opt_size_least> octets{};  // the root as owner, version 0
  base::store_u16(&octets[1], static_cast<std::uint16_t>(RrType::opt));
  base::store_u16(&octets[3], opt.udp_size);
  octets[5] = opt.extended_rcode;
  octets[7] = opt.dnssec_ok ? 0x80 : 0;
  base::store_u16(&octets[9], static_cast<std::uint16_t>(opt.rdata_size));
  writer.bytes(octets);
}

inline void write_option_header(base::Writer& writer, EdnsOption code, std::size_t size) {
  writer.u16(static_cast<std::uint16_t>(code));
  writer.u16(static_cast<std::uint16_t>(size));
}

/// How many octets, option header included, the padding option takes to bring `size` up to a
/// multiple of `block` (RFC 8467 §4.1), or as near as `limit` allows; 0 when `block` is 0 or not
/// even an empty option fits.
inline std::size_t padding_for(std::size_t size, std::size_t block, std::size_t limit) {
  const std::size_t least = size + option_header_size;
  if (block == 0 || least > limit) return 0;
  return std::min((least + block - 1) / block * block, limit) - size;
}

inline void write_padding(base::Writer& writer, std::size_t padding) {
  if (padding == 0) return;
  write_option_header(writer, EdnsOption::padding, padding - option_header_size);
  writer.zeros(padding - option_header_size);
}

}  // namespace dns
