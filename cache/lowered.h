// Letter case taken out of wire-format names, eight octets at a time. RFC 4343 §3: ASCII only; a
// length octet (0 to 63) is never a letter, so a whole name may be treated as one string. Nothing
// here owns memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace cache {

inline std::uint64_t load_word(const std::uint8_t* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// The last `count` (1 to 7) octets of a string shorter than a word; the rest is zero.
inline std::uint64_t load_short_word(const std::uint8_t* at, std::size_t count) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, count);
  return word;
}

/// Each of the eight octets from 'A' to 'Z' becomes its small letter.
constexpr std::uint64_t lowered(std::uint64_t word) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  const std::uint64_t low_bits = word & (0x7f * ones);
  const std::uint64_t from_a = low_bits + (0x80 - 'A') * ones;   // bit 7 set: 'A' or above
  const std::uint64_t above_z = low_bits + (0x7f - 'Z') * ones;  // bit 7 set: above 'Z'
  const std::uint64_t capital = from_a & ~above_z & ~word & (0x80 * ones);
  return word | (capital >> 2);  // 0x80 >> 2 is the case bit 0x20
}

/// Octet for octet the same, letter case aside.
inline bool same_lowered(const std::uint8_t* left, const std::uint8_t* right, std::size_t count) {
  const auto differ = [](std::uint64_t a, std::uint64_t b) {
    return a != b && lowered(a) != lowered(b);
  };
  if (count < 8) return !differ(load_short_word(left, count), load_short_word(right, count));
  for (std::size_t at = 0; at + 8 < count; at += 8) {
    if (differ(load_word(left + at), load_word(right + at))) return false;
  }
  return !differ(load_word(left + count - 8), load_word(right + count - 8));
}

}  // namespace cache
