// Bits that nobody can predict, for ids, letter case and cookies. RFC 5452 §9.2, RFC 4086. One per
// worker, not thread-safe; octets that were given out are wiped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace transports {

/// The kernel's generator, read in blocks: a number costs a copy, and every 4,096 octets a system
/// call.
class Random {
 public:
  Random() = default;
  Random(const Random&) = delete;
  Random& operator=(const Random&) = delete;

  std::uint16_t u16() { return take<std::uint16_t>(); }
  std::uint64_t u64() { return take<std::uint64_t>(); }
  void fill(base::MutableBytes out);

 private:
  template <class Number>
  Number take() {
    std::array<std::uint8_t, sizeof(Number)> octets;
    fill(octets);
    Number number;
    __builtin_memcpy(&number, octets.data(), sizeof number);
    return number;
  }
  void refill();

  std::array<std::uint8_t, 4096> block_{};
  std::size_t used_ = sizeof(block_);
};

}  // namespace transports
