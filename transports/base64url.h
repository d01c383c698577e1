// The base64 of URLs, without padding: how a query stands in a GET (RFC 8484 §6, RFC 4648 §5). The
// memory is the caller's.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace transports {

constexpr std::size_t base64url_size(std::size_t octets) { return ((octets * 4) + 2) / 3; }
/// Nothing for a size that no text has.
constexpr std::optional<std::size_t> base64url_octets(std::size_t text_size) {
  if (text_size % 4 == 1) return std::nullopt;
  return text_size / 4 * 3 + (text_size % 4 == 0 ? 0 : text_size % 4 - 1);
}

/// Fills `out`, which has base64url_octets(text.size()); false when a letter is of no use here, as
/// `=`, `+`, `/` and `%` are not.
bool from_base64url(std::string_view text, base::MutableBytes out);
/// Fills `out`, which has room for base64url_size(octets.size()) letters.
void to_base64url(base::Bytes octets, char* out);

}  // namespace transports
