// The saved cache: what comes back and how old, and that damage of any kind costs no more than the
// blocks it is in. RFC 8767 §4.
#include "cache/archive.h"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/cache/cache_test.h"
#include "tests/gateway/temporary_directory.h"

namespace cache::test {
namespace {

using archive::Loaded;
using archive::Moment;

constexpr std::int64_t wall = 1'800'000'000;
constexpr base::Seconds32 start = 10'000'000;  // as base::seconds_of() begins late, too

std::string host(int number) { return "host-" + std::to_string(number) + ".example."; }
std::uint8_t address_of(int number) { return static_cast<std::uint8_t>(number % 250); }

bool always() { return true; }

/// A cache, and the one of the next run: another secret, another uptime.
class Archive : public CacheTest {
 protected:
  Archive() { now = start; }

  void fill(int count) {
    for (int number = 0; number < count; ++number)
      store_address(host(number), 3600, address_of(number));
  }
  archive::Saved save() {
    auto saved = archive::save(cache, path, {wall, now, ways}, always);
    EXPECT_TRUE(saved) << saved.error();
    return saved.value_or(archive::Saved{});
  }
  Loaded load(std::int64_t passed) {
    later = later_start;
    return archive::load(next, path, limits, {wall + passed, later, ways}, always);
  }
  Found find_next(const dns::Question& question, std::uint8_t variant = 0) {
    const base::EpochBatch batch(reader);
    return next.find(next.key_of(question, (variant & variant_do) != 0, false), later);
  }
  Found find_next(std::string_view name) { return find_next(question_of(name)); }

  /// Whatever was found has the address that was stored under its name.
  int right_ones(int count) {
    int found = 0;
    for (int number = 0; number < count; ++number) {
      const Found each = find_next(host(number));
      if (each.state == State::absent) continue;
      ++found;
      EXPECT_EQ(each.answer.wire.back(), address_of(number)) << host(number);
    }
    return found;
  }

  std::vector<char> octets() const {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
  void write(const std::vector<char>& content) const {
    std::ofstream{path, std::ios::binary}.write(content.data(),
                                                static_cast<std::streamsize>(content.size()));
  }

  std::uint64_t ways = 0;
  gateway::TemporaryDirectory folder;
  const std::string path = folder.file("cache.saved");
  static constexpr base::Seconds32 later_start = start / 2;
  base::Seconds32 later = later_start;
  AnswerCache next{{.budget = 4 << 20, .threads = 2, .seed = {77, 88}}, epochs};
};

TEST_F(Archive, WhatWasKeptIsBackAndAsMuchOlderAsTimePassed) {
  store_address("www.example.", 3600, 9);
  const auto gone = question_of("gone.example.");
  store(gone, Reply(gone, dns::Rcode::nxdomain).soa(600, 600));
  const auto secure = question_of("secure.example.");
  store(secure, Reply(secure).address(3600, 5), variant_do);
  now += 100;
  EXPECT_EQ(save().entries, 3U);
  struct stat facts{};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);

  const Loaded loaded = load(50);
  EXPECT_EQ(loaded.entries, 3U);
  EXPECT_EQ(loaded.damaged_blocks + loaded.damaged_entries + loaded.too_old, 0U);
  const Found www = find_next("www.example.");
  EXPECT_EQ(www.state, State::fresh);
  EXPECT_EQ(www.age, 150U);
  EXPECT_EQ(www.ttl_left, 3450U);
  EXPECT_EQ(find_next(question_of("gone.example.", dns::RrType::txt)).ttl_left, 450U)
      << "NXDOMAIN, for every type";
  EXPECT_EQ(find_next(secure, variant_do).state, State::fresh);
  EXPECT_EQ(find_next(secure).state, State::absent) << "DO is another question";
}

TEST_F(Archive, WhatIsStoredWhileItIsSavedIsSavedAsNew) {
  ++now;
  store_address("www.example.", 3600);
  --now;
  EXPECT_EQ(save().entries, 1U);
  EXPECT_EQ(load(0).entries, 1U);
  EXPECT_EQ(find_next("www.example.").age, 0U);
}

TEST_F(Archive, WhatEndedMeanwhileServesStaleAndNoLongerThanItWould) {
  limits.stale = std::chrono::hours{1};
  store_address("www.example.", 60);
  save();
  load(100);
  EXPECT_EQ(find_next("www.example.").state, State::stale);
  later += 3560 - 1;
  EXPECT_EQ(find_next("www.example.").state, State::stale);
  later += 1;
  EXPECT_EQ(find_next("www.example.").state, State::absent);

  next.flush();
  EXPECT_EQ(load(3660).too_old, 1U);
  EXPECT_EQ(find_next("www.example.").state, State::absent);
}

TEST_F(Archive, WhenTheClockWentBackNothingIsFresh) {
  store_address("www.example.", 3600);
  save();
  const Loaded loaded = load(-1000);
  EXPECT_TRUE(loaded.clock_went_back);
  EXPECT_EQ(find_next("www.example.").state, State::stale);
}

TEST_F(Archive, TodaysLimitsHold) {
  store_address("www.example.", 3600);
  save();
  limits.max_ttl = std::chrono::seconds{10};
  limits.stale = std::chrono::seconds{0};
  EXPECT_EQ(load(5).entries, 1U);
  EXPECT_EQ(find_next("www.example.").ttl_left, 5U);
  next.flush();
  EXPECT_EQ(load(10).too_old, 1U);
}

/// What clients are told as well: they keep it by the TTLs in it.
TEST_F(Archive, TodaysLimitsHoldForTheTtlsInTheAnswerToo) {
  const auto www = question_of("www.example.");
  store(www, Reply(www).alias(3600, "w.example.").address(20));
  const auto gone = question_of("gone.example.");
  store(gone, Reply(gone, dns::Rcode::nxdomain).soa(600, 600));
  const auto told = [](const Found& found) { return dns::facts_of(found.answer); };
  save();
  limits.min_ttl = std::chrono::seconds{60};
  limits.max_ttl = std::chrono::seconds{300};
  limits.negative_ttl = std::chrono::seconds{30};
  EXPECT_EQ(load(5).entries, 2U);
  const Found positive = find_next(www);
  EXPECT_EQ(positive.ttl_left, 15U) << "a TTL does not grow";
  EXPECT_EQ(told(positive).least_ttl, 20U);
  ASSERT_EQ(positive.answer.ttl_offsets.size(), 2U);
  EXPECT_EQ(base::load_u32(&positive.answer.wire[positive.answer.ttl_offsets[0]]), 300U);
  const Found negative = find_next(gone);
  EXPECT_EQ(negative.ttl_left, 25U);
  EXPECT_EQ(told(negative).negative_ttl, 30U);

  next.flush();
  limits.negative_ttl = std::chrono::seconds{0};
  EXPECT_EQ(load(5).too_old, 1U) << "and what is not kept today is not loaded";
}

TEST_F(Archive, WhatCameByOtherWaysIsSetAside) {
  fill(3000);
  ways = 7;
  save();
  ways = 8;
  const Loaded loaded = load(1);
  EXPECT_TRUE(loaded.other_ways);
  EXPECT_EQ(loaded.entries + loaded.damaged_blocks, 0U);
  EXPECT_EQ(find_next(host(0)).state, State::absent);
  ways = 7;
  EXPECT_EQ(load(1).entries, 3000U);
}

TEST_F(Archive, NothingReplacesWhatIsNewer) {
  store_address("www.example.", 3600, 1);
  const auto gone = question_of("gone.example.");
  store(gone, Reply(gone).address(3600, 2));
  save();
  const auto put = [this](const dns::Question& question, const Reply& reply) {
    const dns::KeptAnswer answer = reply.kept();
    next.insert(next.key_of(question, false, false), answer.view(),
                lifetime_of(dns::facts_of(answer.view()), limits), later_start);
  };
  const auto www = question_of("www.example.");
  put(www, Reply(www).address(3600, 7));
  put(gone, Reply(gone, dns::Rcode::nxdomain).soa(600, 600));
  EXPECT_EQ(load(1).refused, 2U);
  EXPECT_EQ(find_next(www).answer.wire.back(), 7);
  EXPECT_EQ(find_next(gone).answer.rcode, dns::Rcode::nxdomain);
}

TEST_F(Archive, FailuresAreNotSaved) {
  fail(question_of("broken.example."));
  EXPECT_EQ(save().entries, 0U);
}

TEST_F(Archive, WhatIsKnownOfANameIsSavedToo) {
  const auto www = question_of("www.example.");
  dns::KeptAnswer answer = Reply(www).address(60).kept();
  Lifetime lifetime = lifetime_of(dns::facts_of(answer.view()), limits);
  lifetime.bound_stale(History{}.with(true).with(false).with(true));
  cache.insert(key_of(www), answer.view(), lifetime, now);
  find(www);
  now += 55;
  save();
  load(0);
  EXPECT_TRUE(find_next(www).ending) << "it was asked for since it was stored";
  {
    const base::EpochBatch batch(reader);
    const History with_one_more =
        next.history_with(next.key_of(www, false, false), answer.view(), later);
    EXPECT_EQ(with_one_more.bits, 5 << 1);
  }
  later += 5 + 86400 / 4 - 1;
  EXPECT_EQ(find_next(www).state, State::stale);
  later += 1;
  EXPECT_EQ(find_next(www).state, State::absent);
}

TEST_F(Archive, ASmallerCacheTakesWhatFits) {
  fill(8000);
  save();
  AnswerCache small{{.budget = 1 << 20, .threads = 1, .seed = {5, 6}}, epochs};
  const Loaded loaded = archive::load(small, path, limits, {wall, later}, always);
  EXPECT_EQ(loaded.damaged_blocks, 0U);
  EXPECT_GT(small.stats().entries, 2000U);
  EXPECT_LE(small.stats().octets, 1U << 20);
}

/// As a power cut leaves it.
TEST_F(Archive, CutOffAnywhereItGivesTheBlocksBeforeTheCut) {
  constexpr int count = 4000;
  fill(count);
  const std::uint64_t size = save().octets;
  const std::vector<char> whole = octets();
  ASSERT_EQ(whole.size(), size);
  ASSERT_GT(size, 2 * archive::block_size);
  for (std::uint64_t cut = 0; cut < size; cut += 4096) {
    std::filesystem::resize_file(path, cut);
    next.flush();
    const Loaded loaded = load(1);
    EXPECT_EQ(loaded.damaged_blocks, cut % archive::block_size == 0 ? 0U : 1U) << cut;
    EXPECT_EQ(right_ones(count), static_cast<int>(loaded.entries)) << cut;
    write(whole);
  }
  next.flush();
  load(1);
  EXPECT_EQ(right_ones(count), count);
}

TEST_F(Archive, ABitThatFlipsCostsItsBlock) {
  constexpr int count = 3000;
  fill(count);
  save();
  const std::vector<char> whole = octets();
  std::minstd_rand random(42);
  for (int round = 0; round < 200; ++round) {
    std::vector<char> damaged = whole;
    const int flips = 1 + round % 3;
    for (int flip = 0; flip < flips; ++flip)
      damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    write(damaged);
    next.flush();
    const Loaded loaded = load(1);
    EXPECT_LE(loaded.damaged_blocks, static_cast<std::uint64_t>(flips));
    EXPECT_EQ(right_ones(count), static_cast<int>(loaded.entries));
  }
}

TEST_F(Archive, AnotherFileIsNotTakenForOne) {
  for (const std::size_t size : {0U, 1U, 63U, 64U, 5000U, 300'000U}) {
    write(std::vector<char>(size, 'x'));
    const Loaded loaded = load(1);
    EXPECT_EQ(loaded.entries, 0U);
    EXPECT_EQ(loaded.damaged_blocks, (size + archive::block_size - 1) / archive::block_size);
  }
  ::unlink(path.c_str());
  EXPECT_FALSE(load(1).found);
}

TEST_F(Archive, ADiskThatTakesNoMoreLeavesTheOldFileAlone) {
  fill(10);
  save();
  const std::vector<char> before = octets();
  fill(4000);
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit most{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &most);
    const auto saved = archive::save(cache, path, {wall, now}, always);
    ::_exit(!saved && saved.error().contains("cannot write") ? 0 : 1);
  }
  int status = 1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(octets(), before);
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
  EXPECT_FALSE(archive::save(cache, "/nowhere/cache.saved", {wall, now}, always));
}

/// Whenever the process ends, the file is one that was saved whole.
TEST_F(Archive, KilledWhileSavingItLeavesAWholeFile) {
  constexpr int count = 4000;
  fill(count);
  save();
  for (int round = 0; round < 20; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) static_cast<void>(archive::save(cache, path, {wall, now}, always));
    }
    ::usleep(static_cast<useconds_t>(1000 + 700 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    next.flush();
    const Loaded loaded = load(1);
    EXPECT_EQ(loaded.damaged_blocks, 0U);
    EXPECT_EQ(loaded.entries, static_cast<std::uint64_t>(count));
  }
  EXPECT_EQ(right_ones(count), count);
}

}  // namespace
}  // namespace cache::test
