// Which answers are the same, and how long what changes may serve stale. RFC 8767 §5.
#include "cache/volatility.h"

#include <gtest/gtest.h>

#include "tests/cache/cache_test.h"

namespace cache::test {
namespace {

const dns::Question www = question_of("www.example.");

bool same(const Reply& before, const Reply& after) {
  return same_data(before.kept().view(), after.kept().view());
}

TEST(SameData, OrderTtlsAndLetterCaseDoNotMatter) {
  EXPECT_TRUE(
      same(Reply(www).address(300, 1).address(300, 2), Reply(www).address(5, 2).address(5, 1)));
  EXPECT_TRUE(same(Reply(www).alias(300, "a.example."), Reply(www).alias(300, "A.EXAMPLE.")));
  EXPECT_TRUE(same(Reply(www).address(300), Reply(question_of("WWW.example.")).address(300)));
}

TEST(SameData, AddressesMatterOctetByOctet) {
  EXPECT_FALSE(same(Reply(www).address(300, 'a'), Reply(www).address(300, 'A')));
  EXPECT_FALSE(same(Reply(www).address(300, 1), Reply(www).address(300, 1).address(300, 2)));
}

TEST(SameData, NegativeAnswersAreTheSameWhateverTheirSoa) {
  const auto missing = [](std::uint32_t minimum) {
    return Reply(www, dns::Rcode::nxdomain).soa(300, minimum);
  };
  EXPECT_TRUE(same(missing(300), missing(60)));
  EXPECT_FALSE(same(missing(300), Reply(www).soa(300, 300))) << "NXDOMAIN and NODATA";
  EXPECT_FALSE(same(missing(300), Reply(www).address(300)));
}

TEST(Volatility, EachChangeAmongTheLastEightRefreshesHalvesTheStaleTime) {
  History history;
  EXPECT_EQ(stale_seconds_for(history, 86400), 86400U);
  for (const std::uint32_t seconds : {43200, 21600, 10800, 5400, 2700, 1350, 675, 337, 337}) {
    history = history.with(true);
    EXPECT_EQ(stale_seconds_for(history, 86400), seconds);
  }
  for (int refresh = 0; refresh < 8; ++refresh) history = history.with(false);
  EXPECT_EQ(history, History{}) << "at rest again";
}

TEST_F(CacheTest, TheHistoryOfAnAnswerIsKeptWithIt) {
  const auto refresh = [this](const Reply& reply) {
    dns::KeptAnswer answer = reply.kept();
    Lifetime lifetime = lifetime_of(dns::facts_of(answer.view()), limits);
    {
      const base::EpochBatch batch(reader);
      lifetime.bound_stale(cache.history_with(key_of(www), answer.view(), now));
    }
    cache.insert(key_of(www), answer.view(), lifetime, now);
    return lifetime.history.bits;
  };
  EXPECT_EQ(refresh(Reply(www).address(60, 1)), 0);
  EXPECT_EQ(refresh(Reply(www).address(60, 2)), 1);
  EXPECT_EQ(refresh(Reply(www).address(60, 2)), 2);
  EXPECT_EQ(refresh(Reply(www, dns::Rcode::nxdomain).soa(60, 60)), 5)
      << "an answer of another kind is a change";
  EXPECT_EQ(refresh(Reply(www).address(60, 2)), 11);
  now += 60 + 86400 / 8 - 1;
  EXPECT_EQ(find(www).state, State::stale);
  now += 1;
  EXPECT_EQ(find(www).state, State::absent);
}

}  // namespace
}  // namespace cache::test
