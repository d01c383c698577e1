// Readers, writers and an operator who flushes, all at once, in a cache far too small for them:
// whatever is found is whole and right, and stays so for the batch. Meant for the thread and
// address sanitizers as much as for itself.
#include "cache/answer_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/cache/replies.h"

namespace cache::test {
namespace {

constexpr std::size_t names = 6000;

/// Every part of an answer tells its name's number or its version, so that a mixture of two answers
/// is noticed.
dns::KeptAnswer answer_for(const dns::Question& question, std::uint8_t version) {
  Reply reply(question);
  for (unsigned count = 0; count <= version % 24U; ++count) reply.address(1000U + version, version);
  dns::KeptAnswer answer = reply.kept();
  answer.has_ede = true;
  answer.ede = static_cast<dns::Ede>(version);
  answer.ede_text.assign(version % 40U, static_cast<char>('a' + version % 26));
  return answer;
}

void expect_whole(const dns::AnswerView& found, const dns::Question& question) {
  const auto version = static_cast<std::uint8_t>(found.ede);
  ASSERT_TRUE(found.has_ede);
  ASSERT_EQ(found.ede_text, std::string(version % 40U, static_cast<char>('a' + version % 26)));
  const base::Bytes name = question.name.view().wire();
  ASSERT_GE(found.wire.size(), dns::header_size + name.size());
  ASSERT_EQ(dns::NameView(found.wire.subspan(dns::header_size, name.size())), question.name.view());
  ASSERT_EQ(found.ttl_offsets.size(), version % 24U + 1);
  for (const std::uint16_t offset : found.ttl_offsets) {
    ASSERT_EQ(base::load_u32(&found.wire[offset]), 1000U + version);
    ASSERT_EQ(found.wire[offset + 9U], version);
  }
}

class Crowd : public ::testing::Test {
 protected:
  static constexpr base::Seconds32 now = 1000;

  Crowd() {
    for (std::size_t number = 0; number < names; ++number) {
      questions.push_back(question_of("host-" + std::to_string(number) + ".example."));
    }
  }

  void read(unsigned seed) {
    base::EpochReader reader(epochs);
    std::mt19937 random(seed);
    std::vector<std::pair<const dns::Question*, dns::AnswerView>> kept;
    while (!over.load(std::memory_order_relaxed)) {
      const base::EpochBatch batch(reader);
      kept.clear();
      for (int count = 0; count < 32; ++count) {
        const dns::Question& question =
            questions[random() % (random() % 4 == 0 ? names : names / 20)];
        const Found found = cache.find(cache.key_of(question, false, false), now);
        if (found.state == Found::State::absent) continue;
        expect_whole(found.answer, question);
        kept.emplace_back(&question, found.answer);
      }
      std::this_thread::yield();
      for (const auto& [question, answer] : kept) expect_whole(answer, *question);
      hits.fetch_add(kept.size(), std::memory_order_relaxed);
      if (HasFatalFailure()) return;
    }
  }

  void write(unsigned seed) {
    base::EpochReader reader(epochs);
    std::mt19937 random(seed);
    for (int count = 0; count < 15'000; ++count) {
      const dns::Question& question = questions[random() % names];
      const dns::KeptAnswer answer = answer_for(question, static_cast<std::uint8_t>(random()));
      const Key key = cache.key_of(question, false, false);
      if (count % 4 == 0) {
        const base::EpochBatch batch(reader);
        EXPECT_FALSE(cache.find(key, now).failure_remembered);
        cache.insert(key, answer.view(), {.keep = true, .fresh_seconds = 60, .stale_seconds = 60},
                     now);
      } else {
        cache.insert(key, answer.view(), {.keep = true, .fresh_seconds = 60, .stale_seconds = 60},
                     now);
      }
    }
  }

  void flush() {
    std::mt19937 random(99);
    while (!over.load(std::memory_order_relaxed)) {
      if (random() % 8 == 0) {
        cache.flush();
      } else {
        cache.flush(questions[random() % names].name, true);
      }
      ASSERT_LE(cache.stats().octets, cache.stats().budget);
      std::this_thread::yield();
    }
  }

  base::Epochs epochs;
  AnswerCache cache{{.budget = 1 << 20, .threads = 1, .seed = {11, 22}}, epochs};
  std::vector<dns::Question> questions;
  std::atomic<bool> over = false;
  std::atomic<std::uint64_t> hits = 0;
};

TEST_F(Crowd, WhatIsFoundIsWhole) {
  {
    std::vector<std::jthread> readers_and_operator;
    readers_and_operator.emplace_back([this] { read(1); });
    readers_and_operator.emplace_back([this] { read(2); });
    readers_and_operator.emplace_back([this] { flush(); });
    {
      std::jthread first([this] { write(3); });
      std::jthread second([this] { write(4); });
    }
    over = true;
  }
  EXPECT_GT(hits.load(), 0U);
  const CacheStats stats = cache.stats();
  EXPECT_GT(stats.evicted_for_room + stats.flushed, 0U);
  EXPECT_GT(stats.replaced, 0U);
  EXPECT_GT(stats.inserts,
            0U);  // how many are refused is up to the scheduler: a reader that sleeps keeps memory
}

TEST_F(Crowd, NamesStayFoundWhileOthersPushThemToTheirSecondBucket) {
  // Guests come and go; when a bucket is full of them, a resident may have to move to its second.
  constexpr std::size_t residents = 1000;
  constexpr std::size_t guests = 5500;
  const auto keep = [this](const dns::Question& question) {
    // A watcher that the scheduler stopped in its batch keeps what was flushed: room comes later.
    for (std::uint64_t refused = 0;; std::this_thread::yield()) {
      refused = cache.stats().refused;
      cache.insert(cache.key_of(question, false, false), answer_for(question, 1).view(),
                   {.keep = true, .fresh_seconds = 60}, now);
      if (cache.stats().refused == refused) return;
    }
  };
  for (std::size_t number = 0; number < residents; ++number) keep(questions[number]);
  std::vector<dns::Question> guest_questions;
  for (std::size_t number = 0; number < guests; ++number) {
    guest_questions.push_back(question_of("host-" + std::to_string(number) + ".guest."));
  }
  std::atomic<std::uint64_t> missed = 0;
  {
    const std::jthread watcher([this, &missed] {
      base::EpochReader reader(epochs);
      while (!over.load(std::memory_order_relaxed)) {
        for (std::size_t number = 0; number < residents; ++number) {
          const base::EpochBatch batch(reader);
          const Found found = cache.find(cache.key_of(questions[number], false, false), now);
          if (found.state != Found::State::fresh) missed.fetch_add(1);
        }
      }
    });
    for (std::size_t round = 0; round < 5; ++round) {
      std::ranges::for_each(guest_questions, keep);
      EXPECT_GT(cache.stats().entries, guests);
      cache.flush(name_of("guest."), true);
    }
    over = true;
  }
  ASSERT_EQ(cache.stats().evicted_for_room, 0U) << "there was room for all";
  EXPECT_EQ(cache.stats().entries, residents);
  EXPECT_EQ(missed.load(), 0U);
}

}  // namespace
}  // namespace cache::test
