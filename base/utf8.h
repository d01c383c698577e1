// Reading UTF-8 one code point at a time, and showing what somebody else wrote so that it cannot
// move the cursor, end the line or turn its direction. RFC 3629, RFC 8259 §7. For log lines,
// complaints and JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace base {

struct Utf8 {
  char32_t value = 0;
  std::size_t size = 1;  ///< octets; 1 when not valid, so that a reader gets on
  bool valid = false;
};

/// The first code point of `text`, which is not empty. Overlong forms and surrogates are not valid
/// (RFC 3629 §3).
constexpr Utf8 utf8_front(std::string_view text) {
  const auto octet = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = octet(0);
  if (first < 0x80) return {.value = first, .size = 1, .valid = true};
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return {};
  char32_t value = first & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((octet(i) & 0xc0U) != 0x80) return {};
    value = (value << 6U) | (octet(i) & 0x3fU);
  }
  const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (overlong || surrogate || value > 0x10ffff) return {};
  return {.value = value, .size = size, .valid = true};
}

/// Neither a control character, nor a line or paragraph separator, nor a change of writing
/// direction.
constexpr bool is_printable(char32_t value) {
  const auto in = [value](char32_t first, char32_t last) {
    return value >= first && value <= last;
  };
  return !in(0, 0x1f) && !in(0x7f, 0x9f) && !in(0x200e, 0x200f) && !in(0x2028, 0x202e) &&
         !in(0x2066, 0x2069) && value != 0xfeff;
}

/// Appends `text` as it stands inside the quotation marks of a JSON string, with "\ufffd" for
/// octets that are not UTF-8. When `out` would become larger than `most`, it ends in "…" (three
/// octets more) instead of the rest.
void append_escaped(std::string& out, std::string_view text, std::size_t most = std::string::npos);

/// A JSON string with its quotation marks.
std::string json_quoted(std::string_view text);

}  // namespace base
