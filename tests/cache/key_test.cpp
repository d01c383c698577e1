// Keys and their hash. RFC 4343 §3.
#include "cache/key.h"

#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <set>
#include <string>

#include "cache/lowered.h"
#include "tests/cache/replies.h"

namespace cache {
namespace {

using test::name_of;
using test::question_of;

constexpr HashSeed seed{0x0123456789abcdef, 0xfedcba9876543210};

TEST(Lowered, EveryOctetInEveryPlaceAsDnsLowersIt) {
  for (unsigned place = 0; place < 64; place += 8) {
    for (std::uint64_t octet = 0; octet < 256; ++octet) {
      const std::uint64_t around = 0x5a41405b7a61c1ffU & ~(std::uint64_t{0xff} << place);
      const std::uint64_t word = around | octet << place;
      std::uint64_t expected = 0;
      for (unsigned shift = 0; shift < 64; shift += 8) {
        expected |= std::uint64_t{dns::to_lower(static_cast<std::uint8_t>(word >> shift))} << shift;
      }
      ASSERT_EQ(lowered(word), expected) << std::hex << word;
    }
  }
}

TEST(Lowered, ComparisonSeesEveryOctet) {
  for (std::size_t size = 1; size < 40; ++size) {
    const std::string left(size, 'a');
    for (std::size_t at = 0; at < size; ++at) {
      std::string right(size, 'A');
      const auto* const a = reinterpret_cast<const std::uint8_t*>(left.data());
      const auto* const b = reinterpret_cast<const std::uint8_t*>(right.data());
      EXPECT_TRUE(same_lowered(a, b, size));
      right[at] = 'b';
      EXPECT_FALSE(same_lowered(a, b, size)) << size << " octets, difference at " << at;
    }
  }
}

TEST(Rfc4343_3_Key, KeysOfAllLetterCasesHaveOneHash) {
  std::string name = "a.quite-long.name.with-many-letters.example.org.";
  std::string other = name;
  for (std::size_t at = 0; at < other.size(); at += 2)
    other[at] = static_cast<char>(std::toupper(other[at]));
  for (std::size_t start = 0; start < name.size() - 4; start += 2) {
    if (name[start] == '.') continue;
    EXPECT_EQ(hash_of_name(seed, name_of(name.substr(start))),
              hash_of_name(seed, name_of(other.substr(start))));
  }
}

TEST(Key, EveryPartChangesTheHash) {
  const dns::Question question = question_of("www.example.");
  std::set<std::uint64_t> hashes;
  for (const bool dnssec_ok : {false, true}) {
    for (const bool checking_disabled : {false, true}) {
      for (const dns::RrClass klass : {dns::RrClass::in, dns::RrClass::chaos}) {
        for (unsigned type = 0; type < 300; ++type) {
          const dns::Question asked{question.name, static_cast<dns::RrType>(type), klass};
          hashes.insert(make_key(seed, asked, dnssec_ok, checking_disabled).hash);
        }
      }
      const Key key = make_key(seed, question, dnssec_ok, checking_disabled);
      hashes.insert(hash_of_every_type(seed, key.name_hash, key.klass, key.variant));
    }
  }
  EXPECT_EQ(hashes.size(), 4U * 2 * 300 + 4);
}

TEST(Key, SeedsChangeEveryHash) {
  const dns::Question question = question_of("www.example.");
  const std::uint64_t hash = make_key(seed, question, false, false).hash;
  EXPECT_NE(hash, make_key({seed.first + 1, seed.second}, question, false, false).hash);
  EXPECT_NE(hash, make_key({seed.first, seed.second + 1}, question, false, false).hash);
  const HashSeed one = HashSeed::random();
  const HashSeed other = HashSeed::random();
  EXPECT_FALSE(one.first == other.first && one.second == other.second);
}

/// Names that differ in one octet, as numbered hosts do: buckets are chosen by bits 12 to 43, tags
/// are the top 16.
TEST(Key, NumberedNamesSpreadEvenly) {
  constexpr std::size_t names = 1 << 16;
  constexpr std::size_t cells = 256;
  for (const unsigned shift : {0U, 36U, 48U, 56U}) {
    std::array<std::size_t, cells> count{};
    for (std::size_t number = 0; number < names; ++number) {
      const dns::Question question =
          question_of("host-" + std::to_string(number) + ".example.org.");
      ++count[make_key(seed, question, false, false).hash >> shift & (cells - 1)];
    }
    double chi_square = 0;
    constexpr double expected = static_cast<double>(names) / cells;
    for (const std::size_t in_cell : count) {
      chi_square += (static_cast<double>(in_cell) - expected) *
                    (static_cast<double>(in_cell) - expected) / expected;
    }
    EXPECT_LT(chi_square, 360) << "255 degrees of freedom: one in 50,000 is above 360; bits from "
                               << shift;
  }
}

}  // namespace
}  // namespace cache
