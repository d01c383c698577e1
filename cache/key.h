// What an answer is filed under: question, and the flags that change an answer. RFC 4343 (case), RFC 4035 §3.2.2 (CD), RFC 3225 (DO).
#pragma once

#include <cstdint>

#include "dns/name.h"
#include "dns/request.h"

namespace cache {

/// A secret per process, so that nobody can choose names which collide.
struct HashSeed {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  static HashSeed random();
};

/// Bits of `variant`.
inline constexpr std::uint8_t variant_do = 1;
inline constexpr std::uint8_t variant_cd = 2;

/// A look-up's key. It refers to the name; letter case does not matter. The transport is not in it.
struct Key {
  dns::NameView name;
  dns::RrType type = dns::RrType::none;  ///< none: an NXDOMAIN, which holds for every type
  dns::RrClass klass = dns::RrClass::in;
  std::uint8_t variant = 0;
  std::uint64_t hash = 0;
};

Key make_key(const HashSeed& seed, const dns::Question& question, bool dnssec_ok, bool checking_disabled);

}  // namespace cache
