// What an answer is filed under: question, and the flags that change an answer. RFC 4343 (case),
// RFC 4035 §3.2.2 (CD), RFC 3225 (DO). Values; a key refers to the name it was made of.
#pragma once

#include <cstdint>

#include "dns/name.h"
#include "dns/request.h"

namespace cache {

/// A secret per process, so that nobody can choose names which collide.
struct HashSeed {
  std::uint64_t first = 0;
  std::uint64_t second = 0;

  /// From the kernel; throws std::system_error when it gives none.
  static HashSeed random();
};

/// Bits of `variant`.
inline constexpr std::uint8_t variant_do = 1;
inline constexpr std::uint8_t variant_cd = 2;

/// A look-up's key. It refers to the name; letter case does not matter. The transport is not in it.
struct Key {
  dns::NameView name;
  dns::RrType type = dns::RrType::none;
  dns::RrClass klass = dns::RrClass::in;
  std::uint8_t variant = 0;
  std::uint64_t name_hash = 0;  ///< of the name alone: what holds for every type is filed by it
  std::uint64_t hash = 0;       ///< of everything above
};

Key make_key(const HashSeed& seed, const dns::Question& question, bool dnssec_ok,
             bool checking_disabled);

/// Seeded, the same for all letter cases. A multiply-and-fold hash: without the seed nobody can aim
/// at a bucket; it is not a cryptographic one, so hashes must not be shown to clients.
std::uint64_t hash_of_name(const HashSeed& seed, dns::NameView name);

/// The whole key's hash from its name's.
std::uint64_t hash_of_question(const HashSeed& seed, std::uint64_t name_hash, dns::RrType type,
                               dns::RrClass klass, std::uint8_t variant);
/// The hash under which an NXDOMAIN is filed, which holds for every type.
std::uint64_t hash_of_every_type(const HashSeed& seed, std::uint64_t name_hash, dns::RrClass klass,
                                 std::uint8_t variant);

}  // namespace cache
