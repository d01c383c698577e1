// IP addresses, endpoints and prefixes as values. RFC 4291, RFC 5952, RFC 4632, RFC 4007 §11.
#include "base/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

namespace base {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0,    0,
                                                     0, 0, 0, 0, 0xff, 0xff};  // RFC 4291 §2.5.5.2
constexpr std::uint8_t mapped_bits = 96;

std::uint8_t width_of(Family family) { return family == Family::v4 ? 32 : 128; }

/// All of `text` as a decimal number without sign or leading zero, up to `most`.
std::optional<std::uint32_t> decimal(std::string_view text, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > most) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return value;
}

std::optional<std::uint32_t> scope_from_text(std::string_view text) {
  if (const auto number = decimal(text, std::numeric_limits<std::uint32_t>::max())) {
    return *number == 0 ? std::nullopt : number;  // RFC 4007 §6: 0 stands for "any zone"
  }
  std::array<char, IF_NAMESIZE> name{};
  if (text.empty() || text.size() >= name.size()) return std::nullopt;
  std::ranges::copy(text, name.begin());
  const unsigned index = ::if_nametoindex(name.data());
  return index == 0 ? std::nullopt : std::optional<std::uint32_t>{index};
}

/// inet_pton wants a terminated string; a text with a zero octet in it is no address.
template <std::size_t size>
bool terminated(std::string_view text, std::array<char, size>& out) {
  if (text.size() >= size || text.contains('\0')) return false;
  std::ranges::copy(text, out.begin());
  out[text.size()] = '\0';
  return true;
}

/// The octets of `octets` with everything behind the first `length` bits cleared.
std::array<std::uint8_t, 16> masked(std::array<std::uint8_t, 16> octets, std::uint8_t length) {
  std::size_t whole = length / 8U;
  if (length % 8U != 0) {
    octets[whole] = static_cast<std::uint8_t>(octets[whole] & (0xff00U >> (length % 8U)));
    ++whole;
  }
  std::fill(octets.begin() + static_cast<std::ptrdiff_t>(whole), octets.end(), std::uint8_t{0});
  return octets;
}

Address with_octets(Family family, const std::array<std::uint8_t, 16>& octets) {
  if (family == Family::v6) return Address::v6(octets);
  return Address::v4({octets[0], octets[1], octets[2], octets[3]});
}

}  // namespace

Address Address::v4(std::array<std::uint8_t, 4> octets) {
  Address result;
  std::ranges::copy(octets, result.octets_.begin());
  return result;
}

Address Address::v6(const std::array<std::uint8_t, 16>& octets, std::uint32_t scope) {
  if (std::equal(mapped_prefix.begin(), mapped_prefix.end(), octets.begin())) {
    return v4({octets[12], octets[13], octets[14], octets[15]});
  }
  Address result;
  result.octets_ = octets;
  result.scope_ = scope;
  result.family_ = Family::v6;
  return result;
}

std::optional<Address> Address::from_text(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated_text{};
  const std::size_t percent = text.find('%');
  if (!terminated(text.substr(0, percent), terminated_text)) return std::nullopt;

  std::array<std::uint8_t, 4> short_octets{};
  if (percent == std::string_view::npos &&
      ::inet_pton(AF_INET, terminated_text.data(), short_octets.data()) == 1) {
    return v4(short_octets);
  }
  std::array<std::uint8_t, 16> octets{};
  if (::inet_pton(AF_INET6, terminated_text.data(), octets.data()) != 1) return std::nullopt;
  if (percent == std::string_view::npos) return v6(octets);

  const auto scope = scope_from_text(text.substr(percent + 1));
  const Address result = v6(octets, scope.value_or(0));
  if (!scope || result.is_v4()) return std::nullopt;
  return result;
}

bool Address::is_unspecified() const {
  return std::ranges::all_of(octets_, [](std::uint8_t octet) { return octet == 0; });
}

bool Address::is_loopback() const {
  if (is_v4()) return octets_[0] == 127;
  return octets_[15] == 1 && std::all_of(octets_.begin(), octets_.end() - 1,
                                         [](std::uint8_t octet) { return octet == 0; });
}

bool Address::is_link_local() const {
  if (is_v4()) return octets_[0] == 169 && octets_[1] == 254;
  return octets_[0] == 0xfe && (octets_[1] & 0xc0) == 0x80;
}

std::string Address::to_text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(is_v4() ? AF_INET : AF_INET6, octets_.data(), text.data(), text.size());
  std::string result{text.data()};
  if (scope_ != 0) result += '%' + std::to_string(scope_);
  return result;
}

std::string Endpoint::to_text() const {
  const std::string host = address.to_text();
  return (address.is_v4() ? host : '[' + host + ']') + ':' + std::to_string(port);
}

unsigned Endpoint::to_sockaddr(sockaddr_storage& out) const {
  out = {};
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.octets().data(), sizeof v4.sin_addr);
    std::memcpy(&out, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  v6.sin6_scope_id = address.scope();
  std::memcpy(&v6.sin6_addr, address.octets().data(), sizeof v6.sin6_addr);
  std::memcpy(&out, &v6, sizeof v6);
  return sizeof v6;
}

Endpoint Endpoint::from_sockaddr(const sockaddr& from) {
  if (from.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &from, sizeof v4);
    std::array<std::uint8_t, 4> octets{};
    std::memcpy(octets.data(), &v4.sin_addr, octets.size());
    return {.address = Address::v4(octets), .port = ntohs(v4.sin_port)};
  }
  if (from.sa_family != AF_INET6) return {};
  sockaddr_in6 v6{};
  std::memcpy(&v6, &from, sizeof v6);
  std::array<std::uint8_t, 16> octets{};
  std::memcpy(octets.data(), &v6.sin6_addr, octets.size());
  return {.address = Address::v6(octets, v6.sin6_scope_id), .port = ntohs(v6.sin6_port)};
}

std::optional<Prefix> Prefix::from_text(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view address_text = text.substr(0, slash);
  const auto address = Address::from_text(address_text);
  if (!address || address->scope() != 0) return std::nullopt;
  if (slash == std::string_view::npos) return covering(*address, width_of(address->family()));

  const bool mapped = address->is_v4() && address_text.contains(':');
  const std::uint8_t least = mapped ? mapped_bits : 0;
  const auto written = decimal(text.substr(slash + 1), width_of(address->family()) + least);
  if (!written || *written < least) return std::nullopt;

  const Prefix result = covering(*address, static_cast<std::uint8_t>(*written - least));
  if (result.address() != *address) return std::nullopt;
  return result;
}

Prefix Prefix::covering(const Address& address, std::uint8_t length) {
  Prefix result;
  result.length_ = std::min(length, width_of(address.family()));
  result.address_ = with_octets(address.family(), masked(address.octets(), result.length_));
  return result;
}

bool Prefix::contains(const Address& address) const {
  return address.family() == address_.family() &&
         masked(address.octets(), length_) == address_.octets();
}

std::string Prefix::to_text() const { return address_.to_text() + '/' + std::to_string(length_); }

}  // namespace base
