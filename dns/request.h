// What a client asks: the header, the question and EDNS of a query, parsed once. RFC 1035 §4.1, RFC
// 6891 §6. A plain value without heap memory: the hot path makes one per packet, and it may be
// kept.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "dns/codes.h"
#include "dns/name.h"

namespace dns {

inline constexpr std::size_t message_size_max = 65535;
inline constexpr std::size_t plain_udp_size = 512;  // RFC 1035 §4.2.1

/// The second 16 bits of the header (RFC 1035 §4.1.1, RFC 4035 §3.2).
namespace flag {
inline constexpr std::uint16_t qr = 0x8000;
inline constexpr std::uint16_t aa = 0x0400;
inline constexpr std::uint16_t tc = 0x0200;
inline constexpr std::uint16_t rd = 0x0100;
inline constexpr std::uint16_t ra = 0x0080;
inline constexpr std::uint16_t z = 0x0040;
inline constexpr std::uint16_t ad = 0x0020;
inline constexpr std::uint16_t cd = 0x0010;
}  // namespace flag

struct Question {
  Name name;
  RrType type = RrType::none;
  RrClass klass = RrClass::in;

  friend bool operator==(const Question&, const Question&) = default;
};

/// EDNS(0) of a query (RFC 6891 §6.1). Options that we do not act on are counted and forgotten:
/// they are hop by hop, and no client option travels on.
struct Edns {
  bool present = false;
  bool dnssec_ok = false;
  bool padding = false;    ///< RFC 7830: padding wanted back
  bool keepalive = false;  ///< RFC 7828
  bool nsid = false;       ///< RFC 5001
  bool subnet = false;     ///< RFC 7871: a well-formed ECS option was there (it is stripped)
  std::uint8_t version = 0;
  std::uint16_t udp_size = plain_udp_size;  ///< never below 512 (RFC 6891 §6.2.3)
  std::uint8_t cookie_size = 0;             ///< 0, 8, or 16 to 40 (RFC 7873 §4)
  std::uint16_t unknown_options = 0;
  std::array<std::uint8_t, 40>
      cookie;  ///< client cookie, then the server cookie if any; `cookie_size` of them

  Edns() {}  // NOLINT: leaves `cookie` alone, which is not read beyond cookie_size
};

struct Request {
  std::uint16_t id = 0;
  std::uint16_t flags = 0;  ///< as received
  bool has_question = false;
  Question question;  ///< letter case as the client wrote it
  Edns edns;

  [[nodiscard]] Opcode opcode() const { return static_cast<Opcode>((flags >> 11) & 15); }
  [[nodiscard]] bool recursion_desired() const { return (flags & flag::rd) != 0; }
  [[nodiscard]] bool checking_disabled() const { return (flags & flag::cd) != 0; }
  [[nodiscard]] bool authentic_data() const { return (flags & flag::ad) != 0; }
};

/// What is to become of a client's packet. Everything but `accept` and `drop` is answered with the
/// rcode of that name by compose_failure(); `request` holds what could be read.
enum class Verdict : std::uint8_t {
  accept,
  drop,          ///< shorter than a header, or a response: never answered (RFC 8906 §3.1.1; loops)
  format_error,  ///< FORMERR, also for trailing octets and wrong counts
  not_implemented,  ///< NOTIMP: opcodes other than QUERY
  bad_version,      ///< BADVERS (RFC 6891 §6.1.3)
  cookie_only,      ///< QDCOUNT 0 with a COOKIE option: a cookie request (RFC 7873 §5.4), answered
                    ///< NOERROR
  too_early,        ///< REFUSED: as 0-RTT, which may be a replay (RFC 9250 §4.5); listeners say so
};

/// May the same query come again, and again, without harm? RFC 9250 §4.5.
constexpr bool is_replayable(Opcode opcode) {
  return opcode == Opcode::query || opcode == Opcode::notify;
}

/// Parses a query strictly. Never allocates; work is bounded by the packet's size.
Verdict parse_request(base::Bytes wire, Request& request);

}  // namespace dns
