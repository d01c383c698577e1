// Who goes when memory is full, and that it never becomes more than the budget. SIEVE: Zhang et
// al., NSDI 2024.
#include "cache/segment.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "cache/answer_cache.h"
#include "tests/cache/cache_test.h"

namespace cache::test {
namespace {

std::string host(std::size_t number) { return "host-" + std::to_string(number) + ".example."; }

/// Stores numbered names until the cache had to evict `count` for room; gives the next number.
class EvictionTest : public CacheTest {
 protected:
  explicit EvictionTest(std::uint64_t budget = 1 << 20) : CacheTest(budget) {}

  std::size_t store_until_evicted(std::size_t count, std::size_t first, std::uint32_t ttl = 3600) {
    const std::uint64_t before = evicted();
    while (evicted() - before < count) store_address(host(first++), ttl);
    return first;
  }
  [[nodiscard]] std::uint64_t evicted() const {
    return cache.stats().evicted_for_room + cache.stats().evicted_expired;
  }
  std::size_t present(std::size_t first, std::size_t end) {
    std::size_t count = 0;
    for (; first < end; ++first) count += find(host(first)).state == State::absent ? 0 : 1;
    return count;
  }
};

TEST_F(EvictionTest, NamesThatAreAskedForSurviveAScan) {
  constexpr std::size_t hot = 200;
  for (std::size_t number = 0; number < hot; ++number) store_address(host(number), 3600);
  ASSERT_EQ(present(0, hot), hot);  // and so each has been asked for
  std::size_t next = hot;
  for (int round = 0; round < 10; ++round) {
    next = store_until_evicted(2000, next);
    EXPECT_EQ(present(0, hot), hot) << "after a scan of " << next << " names";
  }
  EXPECT_LT(present(hot, next), 10'000U) << "the scan's names did go";
}

TEST_F(EvictionTest, NamesNoLongerAskedForGoInTheEnd) {
  constexpr std::size_t once_hot = 200;
  for (std::size_t number = 0; number < once_hot; ++number) store_address(host(number), 3600);
  ASSERT_EQ(present(0, once_hot), once_hot);
  // The hand takes their marks on its first way round and them on its second. It gets round because
  // other names are asked for again and passed by.
  for (std::size_t number = once_hot; number < 40'000; ++number) {
    store_address(host(number), 3600);
    if (number % 2 == 0) find(host(number));
  }
  EXPECT_EQ(cache.stats().evicted_expired, 0U);
  EXPECT_EQ(present(0, once_hot), 0U);
}

TEST_F(EvictionTest, OldestUnaskedGoFirst) {
  std::size_t next = store_until_evicted(1, 0);
  const std::size_t full = next;
  next = store_until_evicted(full / 4, next);
  const std::size_t of_older_half = present(0, full / 2);
  EXPECT_LE(of_older_half, full / 3) << "of " << full / 2 << " when a quarter of all had to go";
}

TEST_F(EvictionTest, UselessOnesGoFirstWhateverTheirMark) {
  limits.stale = std::chrono::seconds{10};
  const std::size_t full = store_until_evicted(1, 0, 60);
  ASSERT_GT(present(0, full), full - 100);  // all are marked
  now += 71;
  const std::uint64_t before = cache.stats().evicted_for_room;
  store_until_evicted(full / 4, full, 60);
  EXPECT_EQ(cache.stats().evicted_for_room, before);
  EXPECT_GE(cache.stats().evicted_expired, full / 4);
}

TEST_F(EvictionTest, EvenWhenEverythingIsMarkedThereIsRoomForANewName) {
  const std::size_t full = store_until_evicted(1, 0);
  present(0, full);
  store_address("new.example.", 3600);
  EXPECT_EQ(find("new.example.").state, State::fresh);
}

TEST_F(EvictionTest, AnEntryThatIsReplacedKeepsItsPlaceAmongTheHot) {
  store_address("www.example.", 30);
  ASSERT_EQ(find("www.example.").state, State::fresh);
  std::size_t number = 0;
  for (int round = 0; round < 20; ++round) {
    // Half a way round for the hand: it passes every second name by.
    for (const std::size_t end = number + 3000; number < end; ++number) {
      store_address(host(number), 3600);
      if (number % 2 == 0) find(host(number));
    }
    now += 30;
    ASSERT_EQ(find("www.example.").state, State::stale) << round;
    store_address("www.example.", 30);
  }
}

TEST_F(EvictionTest, AReaderInABatchKeepsItsViewAndHoldsUpOnlyTheMemoryItMaySee) {
  store_address("www.example.", 3600, 77);
  const dns::Question question = question_of("www.example.");
  reader.begin();
  const Found found = cache.find(key_of(question), now);
  ASSERT_EQ(found.state, State::fresh);
  const std::vector<std::uint8_t> wire(found.answer.wire.begin(), found.answer.wire.end());
  cache.flush();
  for (std::size_t number = 0; number < 50'000; ++number) store_address(host(number), 3600);
  EXPECT_TRUE(std::ranges::equal(found.answer.wire, wire));
  for (std::size_t number = 0; number < 1000; ++number) {  // and of many sizes
    const dns::Question text =
        question_of("text-" + std::to_string(number) + ".example.", dns::RrType::txt);
    store(text, Reply(text).text(3600, 1000 + number * 30));
  }
  const CacheStats held = cache.stats();
  EXPECT_GT(held.retired_octets, 0U);
  EXPECT_GT(held.refused, 0U) << "room is found only once the reader is done";
  EXPECT_LE(held.octets, held.budget);
  EXPECT_GT(held.entries, 1000U) << "a reader that stays does not empty the cache";
  reader.end();
  store_address("www.example.", 3600, 78);
  for (std::size_t number = 0; number < 1000; ++number) store_address(host(number), 3600);
  EXPECT_EQ(cache.stats().refused, held.refused);
  EXPECT_LT(cache.stats().retired_octets, 64 * 1024U);
}

/// RFC 8767 §4: what is older must not serve stale after it.
TEST_F(EvictionTest, AnAnswerWithoutRoomEndsTheOlderAllTheSame) {
  constexpr std::size_t count = 500;
  const auto find_here = [this](std::size_t number) {
    const dns::Question question = question_of(host(number));
    return cache.find(key_of(question), now).state;
  };
  for (std::size_t number = 0; number < count; ++number) store_address(host(number), 3600);
  reader.begin();
  for (std::size_t number = 0; number < count; ++number) find_here(number);  // marks them
  for (std::size_t number = count; cache.stats().refused == 0; ++number)
    store_address(host(number), 3600);
  std::size_t refused = 0;
  for (std::size_t number = 0; number < count; ++number) {
    if (find_here(number) == State::absent) continue;
    const std::uint64_t before = cache.stats().refused;
    store_address(host(number), 3600, 2);
    if (cache.stats().refused == before) continue;
    ++refused;
    EXPECT_EQ(find_here(number), State::absent);
  }
  EXPECT_GT(refused, 0U);
  reader.end();
}

TEST_F(EvictionTest, AnswersOf64KibFindRoomAmongSmallOnes) {
  std::size_t next = store_until_evicted(1000, 0);
  for (std::size_t number = 0; number < 20; ++number) {
    const dns::Question question =
        question_of("big-" + std::to_string(number) + ".example.", dns::RrType::txt);
    store(question, Reply(question).text(3600, 65'000));
    EXPECT_EQ(find(question).state, State::fresh) << number;
    next = store_until_evicted(10, next);
  }
  EXPECT_LE(cache.stats().octets, cache.stats().budget);
}

TEST_F(EvictionTest, SizesThatComeIntoFashionFindRoom) {
  store_until_evicted(1000, 0);
  std::size_t kept = 0;
  for (std::size_t number = 0; number < 1000; ++number) {
    const dns::Question question =
        question_of("text-" + std::to_string(number) + ".example.", dns::RrType::txt);
    store(question, Reply(question).text(3600, 1500));
    kept += find(question).state == State::fresh ? 1 : 0;
  }
  EXPECT_EQ(kept, 1000U);
  EXPECT_GT(cache.stats().entries, 400U) << "most of a MiB in blocks of 1600 octets";
}

/// Two keys in one slot's place: more names than sixteen that all want the same two buckets cannot
/// all stay.
TEST(Budget, SmallestBudgetWorks) {
  struct Case : CacheTest {
    Case() : CacheTest(1 << 20) {}
    void TestBody() override {
      EXPECT_LE(cache.stats().octets, 300U * 1024) << "before anything is kept";
      store_address("www.example.", 60);
      EXPECT_EQ(find("www.example.").state, State::fresh);
    }
  };
  Case().TestBody();
}

/// Of this process, in octets.
std::size_t resident() {
  std::ifstream statm("/proc/self/statm");
  std::size_t whole = 0;
  std::size_t pages = 0;
  statm >> whole >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST(Budget, CostsNothingUntilAnswersFillIt) {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "a sanitizer's shadow of the memory is resident too";
#endif
  struct Case : CacheTest {
    Case() : CacheTest(std::uint64_t{1} << 30) {}
    void TestBody() override {
      EXPECT_LT(resident() - before, 1U << 20) << "of a GiB";
      for (std::size_t number = 0; number < 10'000; ++number) find(host(number));
      EXPECT_LT(resident() - before, 2U << 20) << "a look-up touches no memory for good";
      store_address("www.example.", 60);
      EXPECT_EQ(find("www.example.").state, State::fresh);
      EXPECT_LT(resident() - before, 2U << 20) << "nor does the first answer";
    }
    std::size_t before = 0;
  };
  const std::size_t before = resident();
  Case budget;
  budget.before = before;
  budget.TestBody();
}

class BudgetTest : public EvictionTest {
 protected:
  BudgetTest() : EvictionTest(8 << 20) {}
};

TEST_F(BudgetTest, IsNeverExceededByHalfAMillionAnswersOfAllSizes) {
  std::mt19937_64 random(20260101);
  std::vector<dns::KeptAnswer> texts;
  const dns::Question patterns = question_of("0000000.example.", dns::RrType::txt);
  for (const std::size_t size :
       {2U, 20U, 60U, 100U, 200U, 350U, 500U, 900U, 1400U, 3000U, 9000U, 20'000U, 65'000U}) {
    texts.push_back(Reply(patterns).text(3600, size).kept());
  }
  std::uint64_t most = 0;
  std::size_t found = 0;
  for (std::size_t number = 0; number < 500'000; ++number) {
    const std::uint64_t dice = random();
    // Small ones mostly; now and then a fashion for one size.
    std::size_t size = number / 50'000 % 2 == 1
                           ? number / 50'000
                           : static_cast<std::size_t>(std::countr_zero(dice | 0x1000));
    size = std::min(size, texts.size() - 1);
    std::string digits = std::to_string(number % 200'000);
    digits.insert(0, 7 - digits.size(), '0');
    dns::KeptAnswer answer = texts[size];
    std::ranges::copy(digits, answer.wire.begin() + 13);
    const dns::Question question = question_of(digits + ".example.", dns::RrType::txt);
    cache.insert(key_of(question), answer.view(),
                 {.keep = true, .fresh_seconds = 3600, .stale_seconds = 60}, now);
    const CacheStats stats = cache.stats();
    most = std::max(most, stats.octets);
    ASSERT_LE(stats.octets, stats.budget);
    ASSERT_LE(stats.retired_octets, stats.octets);
    found += find(question).state == State::fresh ? 1 : 0;
    now += number % 1000 == 0 ? 1 : 0;
  }
  EXPECT_GT(most, (8U << 20) * 95 / 100) << "and it is used";
  EXPECT_EQ(found, 500'000U) << "each was kept at first";
  EXPECT_EQ(cache.stats().refused, 0U);
}

TEST_F(BudgetTest, ATypicalAnswerTakesAtMost192Octets) {
  // 35 octets of name, one A record.
  const auto name = [](std::size_t number) {
    std::string digits = std::to_string(number);
    digits.insert(0, 8 - digits.size(), '0');
    return "www." + digits + ".some-domains.example.";
  };
  ASSERT_EQ(name_of(name(0)).size(), 35U);
  std::size_t number = 0;
  while (evicted() == 0) store_address(name(number++), 3600);
  for (const std::size_t end = 2 * number; number < end; ++number)
    store_address(name(number), 3600);
  const CacheStats stats = cache.stats();
  EXPECT_LE(static_cast<double>(stats.octets) / static_cast<double>(stats.entries), 192);
  EXPECT_LE(static_cast<double>(stats.budget) / static_cast<double>(stats.entries), 192)
      << "of the budget, too";
  RecordProperty("octets_per_answer", static_cast<int>(stats.octets / stats.entries));
}

TEST_F(BudgetTest, MoreThreadsMeanMoreSegmentsButNoMoreMemory) {
  for (const std::size_t threads : {1U, 2U, 3U, 16U, 200U}) {
    AnswerCache other({.budget = 8 << 20, .threads = threads, .seed = {1, 2}}, epochs);
    for (std::size_t number = 0; number < 2000; ++number) {
      const dns::Question question =
          question_of("text-" + std::to_string(number) + ".example.", dns::RrType::txt);
      const dns::KeptAnswer answer = Reply(question).text(60, 9000).kept();
      other.insert(other.key_of(question, false, false), answer.view(),
                   {.keep = true, .fresh_seconds = 60}, now);
    }
    EXPECT_LE(other.stats().octets, other.stats().budget);
    EXPECT_GT(other.stats().octets, (8U << 20) * 8 / 10);
  }
}

}  // namespace
}  // namespace cache::test
