// The names of the DNS's numbers. IANA "Domain Name System (DNS) Parameters"; RFC 3597 §5 for the
// nameless.
#include "dns/codes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "dns/rdata.h"

namespace dns {
namespace {

template <class Code, std::size_t Size>
using Names = std::array<std::pair<Code, std::string_view>, Size>;

constexpr auto rcode_names = std::to_array<std::pair<Rcode, std::string_view>>({
    {Rcode::noerror, "NOERROR"},
    {Rcode::formerr, "FORMERR"},
    {Rcode::servfail, "SERVFAIL"},
    {Rcode::nxdomain, "NXDOMAIN"},
    {Rcode::notimp, "NOTIMP"},
    {Rcode::refused, "REFUSED"},
    {Rcode::yxdomain, "YXDOMAIN"},
    {Rcode::yxrrset, "YXRRSET"},
    {Rcode::nxrrset, "NXRRSET"},
    {Rcode::notauth, "NOTAUTH"},
    {Rcode::notzone, "NOTZONE"},
    {Rcode::badvers, "BADVERS"},
    {Rcode::badcookie, "BADCOOKIE"},
});

constexpr auto opcode_names = std::to_array<std::pair<Opcode, std::string_view>>({
    {Opcode::query, "QUERY"},
    {Opcode::iquery, "IQUERY"},
    {Opcode::status, "STATUS"},
    {Opcode::notify, "NOTIFY"},
    {Opcode::update, "UPDATE"},
    {Opcode::dso, "DSO"},
});

constexpr auto class_names = std::to_array<std::pair<RrClass, std::string_view>>({
    {RrClass::in, "IN"},
    {RrClass::chaos, "CH"},
    {RrClass::hesiod, "HS"},
    {RrClass::none, "NONE"},
    {RrClass::any, "ANY"},
});

constexpr auto ede_names = std::to_array<std::pair<Ede, std::string_view>>({
    {Ede::other, "Other Error"},
    {Ede::unsupported_dnskey_algorithm, "Unsupported DNSKEY Algorithm"},
    {Ede::unsupported_ds_digest, "Unsupported DS Digest Type"},
    {Ede::stale_answer, "Stale Answer"},
    {Ede::forged_answer, "Forged Answer"},
    {Ede::dnssec_indeterminate, "DNSSEC Indeterminate"},
    {Ede::dnssec_bogus, "DNSSEC Bogus"},
    {Ede::signature_expired, "Signature Expired"},
    {Ede::signature_not_yet_valid, "Signature Not Yet Valid"},
    {Ede::dnskey_missing, "DNSKEY Missing"},
    {Ede::rrsigs_missing, "RRSIGs Missing"},
    {Ede::no_zone_key_bit_set, "No Zone Key Bit Set"},
    {Ede::nsec_missing, "NSEC Missing"},
    {Ede::cached_error, "Cached Error"},
    {Ede::not_ready, "Not Ready"},
    {Ede::blocked, "Blocked"},
    {Ede::censored, "Censored"},
    {Ede::filtered, "Filtered"},
    {Ede::prohibited, "Prohibited"},
    {Ede::stale_nxdomain_answer, "Stale NXDOMAIN Answer"},
    {Ede::not_authoritative, "Not Authoritative"},
    {Ede::not_supported, "Not Supported"},
    {Ede::no_reachable_authority, "No Reachable Authority"},
    {Ede::network_error, "Network Error"},
    {Ede::invalid_data, "Invalid Data"},
    {Ede::signature_expired_before_valid, "Signature Expired before Valid"},
    {Ede::too_early, "Too Early"},
});

template <class Code, std::size_t Size>
std::string name_or_number(const Names<Code, Size>& names, Code code, std::string_view prefix) {
  const auto* found = std::ranges::find(names, code, &std::pair<Code, std::string_view>::first);
  if (found != names.end()) return std::string{found->second};
  return std::string{prefix} + std::to_string(std::to_underlying(code));
}

char upper(char letter) {
  return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
}

bool same_word(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, upper, upper);
}

/// The number of "TYPE65280", in any letter case.
std::optional<std::uint16_t> number_behind(std::string_view prefix, std::string_view text) {
  if (text.size() <= prefix.size() || !same_word(text.substr(0, prefix.size()), prefix))
    return std::nullopt;
  std::uint16_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + prefix.size(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

}  // namespace

std::string to_text(Rcode rcode) { return name_or_number(rcode_names, rcode, "RCODE"); }
std::string to_text(Opcode opcode) { return name_or_number(opcode_names, opcode, "OPCODE"); }
std::string to_text(RrClass klass) { return name_or_number(class_names, klass, "CLASS"); }
std::string to_text(Ede code) { return name_or_number(ede_names, code, "EDE "); }

std::string to_text(RrType type) {
  const TypeRow* row = row_of(type);
  return row != nullptr ? std::string{row->name}
                        : "TYPE" + std::to_string(std::to_underlying(type));
}

std::optional<RrType> type_from_text(std::string_view text) {
  if (const TypeRow* row = row_named(text)) return row->type;
  if (const auto number = number_behind("TYPE", text)) return RrType{*number};
  return std::nullopt;
}

std::optional<RrClass> class_from_text(std::string_view text) {
  const auto* found = std::ranges::find_if(
      class_names, [&](const auto& row) { return same_word(row.second, text); });
  if (found != class_names.end()) return found->first;
  if (const auto number = number_behind("CLASS", text)) return RrClass{*number};
  return std::nullopt;
}

}  // namespace dns
