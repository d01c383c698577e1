// Six bits a letter.
#include "transports/base64url.h"

#include <array>

namespace transports {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t no_letter = 0x80;

constexpr std::array<std::uint8_t, 256> values = [] {
  std::array<std::uint8_t, 256> out{};
  out.fill(no_letter);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    out[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::uint8_t>(i);
  return out;
}();

}  // namespace

bool from_base64url(std::string_view text, base::MutableBytes out) {
  std::uint8_t seen = 0;
  std::size_t at = 0;
  const auto value = [&](std::size_t i) {
    const std::uint8_t found = values[static_cast<std::uint8_t>(text[i])];
    seen |= found;
    return std::uint32_t{found};
  };
  std::size_t i = 0;
  for (; i + 4 <= text.size(); i += 4) {
    const std::uint32_t bits =
        value(i) << 18 | value(i + 1) << 12 | value(i + 2) << 6 | value(i + 3);
    out[at++] = static_cast<std::uint8_t>(bits >> 16);
    out[at++] = static_cast<std::uint8_t>(bits >> 8);
    out[at++] = static_cast<std::uint8_t>(bits);
  }
  const std::size_t left = text.size() - i;
  if (left >= 2) {
    const std::uint32_t bits =
        value(i) << 18 | value(i + 1) << 12 | (left == 3 ? value(i + 2) << 6 : 0);
    out[at++] = static_cast<std::uint8_t>(bits >> 16);
    if (left == 3) out[at++] = static_cast<std::uint8_t>(bits >> 8);
  }
  return (seen & no_letter) == 0;
}

void to_base64url(base::Bytes octets, char* out) {
  std::size_t i = 0;
  for (; i + 3 <= octets.size(); i += 3) {
    const std::uint32_t bits =
        std::uint32_t{octets[i]} << 16 | std::uint32_t{octets[i + 1]} << 8 | octets[i + 2];
    for (const unsigned shift : {18U, 12U, 6U, 0U}) *out++ = alphabet[bits >> shift & 63U];
  }
  const std::size_t left = octets.size() - i;
  if (left == 0) return;
  const std::uint32_t bits =
      std::uint32_t{octets[i]} << 16 | (left == 2 ? std::uint32_t{octets[i + 1]} << 8 : 0);
  *out++ = alphabet[bits >> 18 & 63U];
  *out++ = alphabet[bits >> 12 & 63U];
  if (left == 2) *out++ = alphabet[bits >> 6 & 63U];
}

}  // namespace transports
