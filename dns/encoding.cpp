// Octets as text. RFC 4648, RFC 1035 §5.1.
#include "dns/encoding.h"

#include <arpa/inet.h>

#include <array>
#include <format>

namespace dns {
namespace {

/// Digits of `bits` bits each; the last one is filled up with zero bits.
std::string digits_of(base::Bytes octets, unsigned bits, std::string_view alphabet) {
  std::string text;
  text.reserve((octets.size() * 8 + bits - 1) / bits);
  unsigned waiting = 0;
  std::uint32_t value = 0;
  for (const std::uint8_t octet : octets) {
    value = value << 8 | octet;
    for (waiting += 8; waiting >= bits; waiting -= bits) {
      text += alphabet[value >> (waiting - bits) & ((1U << bits) - 1)];
    }
  }
  if (waiting != 0) text += alphabet[value << (bits - waiting) & ((1U << bits) - 1)];
  return text;
}

}  // namespace

std::string to_hex(base::Bytes octets) { return digits_of(octets, 4, "0123456789abcdef"); }

std::string to_base32hex(base::Bytes octets) {
  return digits_of(octets, 5, "0123456789abcdefghijklmnopqrstuv");
}

std::string to_base64(base::Bytes octets) {
  std::string text =
      digits_of(octets, 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
  while (text.size() % 4 != 0) text += '=';
  return text;
}

std::string address_to_text(base::Bytes octets) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(octets.size() == 4 ? AF_INET : AF_INET6, octets.data(), text.data(), text.size());
  return text.data();
}

std::string escaped(base::Bytes octets) {
  std::string text;
  text.reserve(octets.size());
  for (const std::uint8_t octet : octets) {
    if (octet < ' ' || octet > '~') {
      text += std::format("\\{:03}", octet);
    } else {
      if (octet == '"' || octet == '\\') text += '\\';
      text += static_cast<char>(octet);
    }
  }
  return text;
}

std::string quoted(base::Bytes octets) { return '"' + escaped(octets) + '"'; }

}  // namespace dns
