// What says that there is nothing has a share of the cache and no more: a flood of random names
// below a zone leaves the answers that people use alone.
#include <string>

#include "tests/cache/cache_test.h"

namespace cache::test {
namespace {

constexpr std::uint64_t budget = 2 << 20;

class NegativeShare : public CacheTest {
 protected:
  NegativeShare() : CacheTest(budget) {
    for (int number = 0; number < used; ++number) store_address(name_of(number), 3600);
  }
  static std::string name_of(int number) { return "used-" + std::to_string(number) + ".example."; }

  /// Names that do not exist, each asked for once.
  void flood(int first, int count, std::uint32_t ttl = 3600) {
    for (int number = first; number < first + count; ++number) {
      const auto name = question_of("random-" + std::to_string(number) + ".example.");
      store(name, Reply(name, dns::Rcode::nxdomain).soa(ttl, ttl));
    }
  }
  int still_there() {
    int count = 0;
    for (int number = 0; number < used; ++number)
      count += find(name_of(number)).state == State::fresh ? 1 : 0;
    return count;
  }

  static constexpr int used = 4000;  // not one of them is asked for again: only the share protects
};

TEST_F(NegativeShare, AFloodOfRandomNamesDrivesOutNothingButItsLike) {
  flood(0, 50'000);
  const CacheStats stats = cache.stats();
  EXPECT_EQ(still_there(), used);
  EXPECT_LE(stats.negative_octets, budget / 4);
  EXPECT_GT(stats.negative_octets, budget / 8) << "the share is used";
  EXPECT_GT(stats.evicted_negative, 40'000U);
  EXPECT_EQ(stats.evicted_for_room, 0U);
}

TEST_F(NegativeShare, NamesThatAreAskedForAgainStayInTheFlood) {
  flood(0, 10);
  for (int round = 0; round < 20; ++round) {
    for (int number = 0; number < 10; ++number) {
      EXPECT_EQ(find("random-" + std::to_string(number) + ".example.").state, State::fresh);
    }
    flood(1000 + round * 1000, 1000);
  }
}

TEST_F(NegativeShare, FailuresAndEmptyAnswersCountAsWell) {
  for (int number = 0; number < 10'000; ++number) {
    const auto name = question_of("broken-" + std::to_string(number) + ".example.");
    number % 2 == 0 ? fail(name) : static_cast<void>(store(name, Reply(name).soa(300, 300)));
  }
  EXPECT_LE(cache.stats().negative_octets, budget / 4);
  EXPECT_EQ(still_there(), used);
}

TEST_F(NegativeShare, WhatComesIntoBeingNoLongerCounts) {
  const auto name = question_of("new.example.");
  store(name, Reply(name).soa(60, 60));
  EXPECT_GT(cache.stats().negative_octets, 0U);
  store(name, Reply(name).address(60));
  EXPECT_EQ(cache.stats().negative_octets, 0U);
  store(name, Reply(name).soa(60, 60));
  cache.flush();
  EXPECT_EQ(cache.stats().negative_octets, 0U);
}

TEST_F(CacheTest, AnAnswerIsRefreshedByOneAloneInTheLastTenthOfItsLife) {
  store_address("www.example.", 100);
  const auto claim = [this] {
    const base::EpochBatch batch(reader);
    return cache.claim_refresh(key_of(question_of("www.example.")), now);
  };
  now += 50;
  EXPECT_FALSE(find("www.example.").ending);
  now += 40;
  EXPECT_TRUE(find("www.example.").ending);
  EXPECT_TRUE(claim());
  EXPECT_FALSE(claim());
  EXPECT_FALSE(find("www.example.").ending);

  store_address("www.example.", 100);
  now += 95;
  EXPECT_FALSE(find("www.example.").ending) << "nobody asked for it since it was stored";
  EXPECT_TRUE(find("www.example.").ending);
  now += 5;
  EXPECT_FALSE(find("www.example.").ending) << "stale";
}

}  // namespace
}  // namespace cache::test
