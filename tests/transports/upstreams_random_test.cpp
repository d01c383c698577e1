// Ids that nobody guesses. RFC 5452 §9.2.
#include "transports/upstreams/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <vector>

namespace {

using transports::Random;

/// Sum over cells of (seen - expected)² / expected.
double chi_square(const std::vector<int>& cells, int draws) {
  const double expected = static_cast<double>(draws) / static_cast<double>(cells.size());
  double sum = 0;
  for (const int seen : cells) sum += (seen - expected) * (seen - expected) / expected;
  return sum;
}

constexpr int draws = 20'000;

// Bounds are for 255 degrees of freedom: mean 255, deviation 22.6; 377 is passed by chance once in
// a million runs.
constexpr double bound = 377;

TEST(Rfc5452_9_2, IdsAreUniformInBothOctets) {
  const auto random = std::make_unique<Random>();
  std::vector<int> high(256);
  std::vector<int> low(256);
  for (int i = 0; i < draws; ++i) {
    const std::uint16_t id = random->u16();
    ++high[id >> 8];
    ++low[id & 255];
  }
  EXPECT_LT(chi_square(high, draws), bound);
  EXPECT_LT(chi_square(low, draws), bound);
}

TEST(Rfc5452_9_2, AnIdTellsNothingOfTheNext) {
  const auto random = std::make_unique<Random>();
  std::vector<int> differences(256);
  std::vector<int> pairs(256);
  std::uint16_t last = random->u16();
  for (int i = 0; i < draws; ++i) {
    const std::uint16_t id = random->u16();
    ++differences[static_cast<std::uint16_t>(id - last) >> 8];
    ++pairs[(id >> 12) * 16 + (last >> 12)];
    last = id;
  }
  EXPECT_LT(chi_square(differences, draws), bound);
  EXPECT_LT(chi_square(pairs, draws), bound);
}

TEST(Random, TwoSourcesShareNothing) {
  const auto one = std::make_unique<Random>();
  const auto other = std::make_unique<Random>();
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(one->u64());
    seen.insert(other->u64());
  }
  EXPECT_EQ(seen.size(), 2000U);
}

TEST(Random, FillsAnySizeAcrossBlocks) {
  const auto random = std::make_unique<Random>();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{4095}, std::size_t{10'000}}) {
    std::vector<std::uint8_t> octets(size);
    random->fill(octets);
    // A run of 16 zeros would be what is left of an unfilled place.
    EXPECT_EQ(std::ranges::search_n(octets, 16, std::uint8_t{0}).size(), 0U);
  }
}

}  // namespace
