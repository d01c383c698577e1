// The numbers of the DNS (IANA "Domain Name System (DNS) Parameters"), and their names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dns {

enum class Opcode : std::uint8_t {
  query = 0,
  iquery = 1,
  status = 2,
  notify = 4,
  update = 5,
  dso = 6
};

/// The 12-bit response code (RFC 6895 §2.3): four bits in the header, eight in OPT.
enum class Rcode : std::uint16_t {
  noerror = 0,
  formerr = 1,
  servfail = 2,
  nxdomain = 3,
  notimp = 4,
  refused = 5,
  yxdomain = 6,
  yxrrset = 7,
  nxrrset = 8,
  notauth = 9,
  notzone = 10,
  badvers = 16,
  badcookie = 23,
};

enum class RrType : std::uint16_t {
  none = 0,
  a = 1,
  ns = 2,
  md = 3,
  mf = 4,
  cname = 5,
  soa = 6,
  mb = 7,
  mg = 8,
  mr = 9,
  ptr = 12,
  hinfo = 13,
  minfo = 14,
  mx = 15,
  txt = 16,
  rp = 17,
  afsdb = 18,
  rt = 21,
  sig = 24,
  px = 26,
  aaaa = 28,
  nxt = 30,
  srv = 33,
  naptr = 35,
  kx = 36,
  dname = 39,
  opt = 41,
  ds = 43,
  sshfp = 44,
  rrsig = 46,
  nsec = 47,
  dnskey = 48,
  nsec3 = 50,
  nsec3param = 51,
  tlsa = 52,
  cds = 59,
  cdnskey = 60,
  zonemd = 63,
  svcb = 64,
  https = 65,
  tsig = 250,
  ixfr = 251,
  axfr = 252,
  mailb = 253,
  maila = 254,
  any = 255,
  uri = 256,
  caa = 257,
  resinfo = 261,
};

enum class RrClass : std::uint16_t { in = 1, chaos = 3, hesiod = 4, none = 254, any = 255 };

/// Extended DNS Errors (RFC 8914 §4 and the registry).
enum class Ede : std::uint16_t {
  other = 0,
  unsupported_dnskey_algorithm = 1,
  unsupported_ds_digest = 2,
  stale_answer = 3,
  forged_answer = 4,
  dnssec_indeterminate = 5,
  dnssec_bogus = 6,
  signature_expired = 7,
  signature_not_yet_valid = 8,
  dnskey_missing = 9,
  rrsigs_missing = 10,
  no_zone_key_bit_set = 11,
  nsec_missing = 12,
  cached_error = 13,
  not_ready = 14,
  blocked = 15,
  censored = 16,
  filtered = 17,
  prohibited = 18,
  stale_nxdomain_answer = 19,
  not_authoritative = 20,
  not_supported = 21,
  no_reachable_authority = 22,
  network_error = 23,
  invalid_data = 24,
  signature_expired_before_valid = 25,
  too_early = 26,  ///< RFC 9250 §4.5
};

enum class EdnsOption : std::uint16_t {
  nsid = 3,
  client_subnet = 8,
  cookie = 10,
  tcp_keepalive = 11,
  padding = 12,
  ede = 15,
};

/// "NOERROR", or "RCODE42" for a number without a name.
std::string to_text(Rcode rcode);
/// "HTTPS", or "TYPE65280" (RFC 3597 §5).
std::string to_text(RrType type);
/// "IN", or "CLASS42".
std::string to_text(RrClass klass);
/// "Stale Answer", or "EDE 999".
std::string to_text(Ede code);
/// "QUERY", or "OPCODE9".
std::string to_text(Opcode opcode);

/// Reads "AAAA", "aaaa", "TYPE65280".
std::optional<RrType> type_from_text(std::string_view text);
std::optional<RrClass> class_from_text(std::string_view text);

}  // namespace dns
