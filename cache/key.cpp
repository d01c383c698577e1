// Keys and their hash: a 64 by 64 bit multiplication folded to 64 bits per sixteen octets, both
// factors under a secret.
#include "cache/key.h"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

#include "cache/lowered.h"

namespace cache {
namespace {

std::uint64_t folded_product(std::uint64_t left, std::uint64_t right) {
  const auto product = static_cast<unsigned __int128>(left) * right;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

HashSeed HashSeed::random() {
  HashSeed seed;
  if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) {
    throw std::system_error(errno, std::generic_category(), "no random octets from the kernel");
  }
  return seed;
}

Key make_key(const HashSeed& seed, const dns::Question& question, bool dnssec_ok,
             bool checking_disabled) {
  Key key;
  key.name = question.name.view();
  key.type = question.type;
  key.klass = question.klass;
  key.variant = static_cast<std::uint8_t>((dnssec_ok ? variant_do : 0) |
                                          (checking_disabled ? variant_cd : 0));
  key.name_hash = hash_of_name(seed, key.name);
  key.hash = hash_of_question(seed, key.name_hash, key.type, key.klass, key.variant);
  return key;
}

std::uint64_t hash_of_name(const HashSeed& seed, dns::NameView name) {
  const std::uint8_t* at = name.wire().data();
  std::size_t left = name.size();
  // The size is part of the hash, so the overlap of the last words hides no difference.
  std::uint64_t state = folded_product(seed.first ^ left, seed.second);
  while (left > 16) {
    state = folded_product(lowered(load_word(at)) ^ seed.first, lowered(load_word(at + 8)) ^ state);
    at += 16;
    left -= 16;
  }
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (left >= 8) {
    low = load_word(at);
    high = load_word(at + left - 8);
  } else if (left != 0) {
    low = load_short_word(at, left);
  }
  return folded_product(lowered(low) ^ seed.first, lowered(high) ^ state);
}

std::uint64_t hash_of_question(const HashSeed& seed, std::uint64_t name_hash, dns::RrType type,
                               dns::RrClass klass, std::uint8_t variant) {
  const std::uint64_t rest = static_cast<std::uint64_t>(type) |
                             static_cast<std::uint64_t>(klass) << 16 |
                             static_cast<std::uint64_t>(variant) << 32;
  return folded_product(name_hash ^ seed.second, rest ^ seed.first);
}

std::uint64_t hash_of_every_type(const HashSeed& seed, std::uint64_t name_hash, dns::RrClass klass,
                                 std::uint8_t variant) {
  constexpr std::uint8_t every_type =
      0x80;  // no variant has this bit, so that TYPE0 is hashed elsewhere
  return hash_of_question(seed, name_hash, dns::RrType::none, klass,
                          static_cast<std::uint8_t>(variant | every_type));
}

}  // namespace cache
