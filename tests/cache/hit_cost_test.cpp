// What a look-up must not cost, allocations and locks; and that their counters count.
#include "cache/answer_cache.h"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "tests/cache/cache_test.h"
#include "tests/support/allocation_count.h"
#include "tests/support/lock_count.h"

namespace cache::test {
namespace {

using ::test::allocations_of_this_thread;
using ::test::locks_of_this_thread;

/// The compiler may not leave out an allocation whose address somebody sees.
void* show(void* block) {
  asm volatile("" : : "r"(block) : "memory");
  return block;
}

TEST(AllocationCount, CountsEveryWayToAllocate) {
  const std::uint64_t before = allocations_of_this_thread();
  std::free(show(std::malloc(10)));
  EXPECT_EQ(allocations_of_this_thread() - before, 1U);
  std::free(show(std::calloc(1, 10)));
  EXPECT_EQ(allocations_of_this_thread() - before, 2U);
  const auto number = std::make_unique<int>(1);
  show(number.get());
  EXPECT_EQ(allocations_of_this_thread() - before, 3U);
  std::string text(100, 'x');  // by code inside the C++ library
  show(text.data());
  EXPECT_EQ(allocations_of_this_thread() - before, 4U);
}

TEST(AllocationCount, CountsAlignedOnes) {
  if (!::test::aligned_allocations_are_counted()) GTEST_SKIP() << "the sanitizer's hook does not";
  struct alignas(128) Wide {
    char octets[128];
  };
  const std::uint64_t before = allocations_of_this_thread();
  std::free(show(std::aligned_alloc(64, 64)));
  std::free(show(::memalign(64, 64)));
  const auto wide = std::make_unique<Wide>();
  show(wide.get());
  EXPECT_EQ(allocations_of_this_thread() - before, 3U);
}

TEST(LockCount, CountsMutexesOfBothKinds) {
  if (!::test::locks_are_counted()) GTEST_SKIP() << "a sanitizer watches the locks";
  std::mutex mutex;
  std::shared_mutex shared;
  const std::uint64_t before = locks_of_this_thread();
  {
    const std::scoped_lock lock(mutex);
  }
  {
    const std::scoped_lock lock(shared);
  }
  {
    const std::shared_lock lock(shared);
  }
  if (mutex.try_lock()) mutex.unlock();
  EXPECT_EQ(locks_of_this_thread() - before, 4U);
}

class LookUpCost : public CacheTest {
 protected:
  LookUpCost() {
    store(fresh, Reply(fresh).address(3600));
    store(gone, Reply(gone, dns::Rcode::nxdomain).soa(3600, 3600));
    store(stale, Reply(stale).address(1));
    now += 10;
    fail(stale);
    fail(failed);
  }

  const dns::Question fresh = question_of("fresh.example.");
  const dns::Question gone = question_of("gone.example.");
  const dns::Question below_gone = question_of("below.gone.example.");
  const dns::Question stale = question_of("stale.example.");
  const dns::Question failed = question_of("failed.example.");
  const dns::Question absent = question_of("absent.example.");
};

TEST_F(LookUpCost, NoAllocationAndNoLock) {
  const std::uint64_t allocations = allocations_of_this_thread();
  const std::uint64_t locks = locks_of_this_thread();
  std::size_t octets = 0;
  std::size_t failures = 0;
  for (int round = 0; round < 3; ++round) {
    const base::EpochBatch batch(reader);
    for (const dns::Question* const question :
         {&fresh, &gone, &below_gone, &stale, &failed, &absent}) {
      const Key key = cache.key_of(*question, false, false);
      cache.fetch_ahead(std::array{key.hash, ~key.hash});
      const Found found = cache.find(key, now);
      const Found cut = found.state == State::absent ? cache.find_cut(key, now) : found;
      octets += cut.answer.wire.size();
      failures += found.failure_remembered ? 1 : 0;
    }
  }
  EXPECT_EQ(allocations_of_this_thread() - allocations, 0U);
  EXPECT_EQ(locks_of_this_thread() - locks, 0U);
  EXPECT_GT(octets, 0U);
  EXPECT_EQ(failures, 6U);
}

/// Keeping one takes memory of the cache alone.
TEST_F(LookUpCost, InsertionAllocatesNothingEither) {
  const dns::KeptAnswer answer = Reply(absent).address(300).kept();
  const Key key = cache.key_of(absent, false, false);
  const std::uint64_t before = allocations_of_this_thread();
  cache.insert(key, answer.view(), {.keep = true, .fresh_seconds = 300}, now);
  EXPECT_EQ(allocations_of_this_thread() - before, 0U);
  EXPECT_EQ(find(absent).state, State::fresh);
}

}  // namespace
}  // namespace cache::test
