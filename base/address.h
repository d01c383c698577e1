// IP addresses, endpoints and prefixes as values: no I/O, no name look-up. RFC 4291, RFC 5952
// (text), RFC 4632, RFC 4007 §11 (scopes). Values: nobody owns them.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;
struct sockaddr_storage;

namespace base {

enum class Family : std::uint8_t { v4, v6 };

/// An IPv4 address is kept in the first four octets, the rest are zero. An IPv4-mapped IPv6 address
/// is made IPv4 when it is read, so that a rule for 192.0.2.0/24 holds on a dual-stack socket, too.
class Address {
 public:
  Address() = default;  // 0.0.0.0
  static Address v4(std::array<std::uint8_t, 4> octets);
  static Address v6(const std::array<std::uint8_t, 16>& octets, std::uint32_t scope = 0);
  /// "192.0.2.1", "2001:db8::1", "fe80::1%2", "fe80::1%eth0" (the kernel is asked for the
  /// interface's number).
  static std::optional<Address> from_text(std::string_view text);

  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] bool is_v4() const { return family_ == Family::v4; }
  [[nodiscard]] bool is_unspecified() const;
  [[nodiscard]] bool is_loopback() const;
  /// 169.254.0.0/16 and fe80::/10: means something on one link only, hence needs a scope in IPv6.
  [[nodiscard]] bool is_link_local() const;
  [[nodiscard]] std::uint32_t scope() const { return scope_; }
  [[nodiscard]] const std::array<std::uint8_t, 16>& octets() const { return octets_; }
  /// RFC 5952 §4: lower case, the longest run of zeros as "::". A scope is printed as a number.
  [[nodiscard]] std::string to_text() const;

  auto operator<=>(const Address&) const = default;

 private:
  std::array<std::uint8_t, 16> octets_{};
  std::uint32_t scope_ = 0;
  Family family_ = Family::v4;
};

struct Endpoint {
  Address address;
  std::uint16_t port = 0;

  /// "192.0.2.1:53", "[2001:db8::1]:53".
  [[nodiscard]] std::string to_text() const;
  /// Fills `out` and gives the length for bind(2) and sendto(2).
  unsigned to_sockaddr(sockaddr_storage& out) const;
  /// 0.0.0.0:0 for a family other than IPv4 and IPv6.
  static Endpoint from_sockaddr(const sockaddr& from);

  auto operator<=>(const Endpoint&) const = default;
};

/// "10.0.0.0/8", "fe80::/10", or an address alone (then the whole of it counts).
class Prefix {
 public:
  /// Nothing is trimmed: an address with bits set behind the prefix's length is no prefix (RFC 4632
  /// §3.1).
  static std::optional<Prefix> from_text(std::string_view text);
  /// The first `length` bits of `address`, the rest cleared; `length` is at most 32 or 128.
  static Prefix covering(const Address& address, std::uint8_t length);

  [[nodiscard]] bool contains(const Address& address) const;
  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] std::uint8_t length() const { return length_; }

  auto operator<=>(const Prefix&) const = default;

 private:
  Address address_;
  std::uint8_t length_ = 0;
};

}  // namespace base
