// The keeper's thread against what may come at any moment: flushes, reloads, the end. Whatever is
// waited for has a bound that only a keeper that hangs reaches.
#include "gateway/cache_keeper.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "dns/message.h"
#include "tests/cache/replies.h"
#include "tests/gateway/temporary_directory.h"

namespace gateway {
namespace {

using cache::test::question_of;
using cache::test::Reply;
using std::chrono::milliseconds;

constexpr std::chrono::seconds patience{30};
constexpr milliseconds a_while{30};  // in which what can happen most likely does

/// Ends the program when it takes too long: nobody could join a thread that hangs.
void expect_end(std::future<void>& work, const char* what) {
  if (work.wait_for(patience) == std::future_status::ready) return;
  std::fprintf(stderr, "%s does not end\n", what);
  std::abort();
}

bool comes_true(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds{1});
  }
  return true;
}

/// Stops whoever saves, loads or flushes at one segment, as long as it lives.
class Hold {
 public:
  Hold(const cache::AnswerCache& cache, std::size_t piece)
      : thread_{[this, &cache, piece] {
          cache.visit(piece, [this](const cache::KeptEntry&) {
            if (std::exchange(held_, true)) return;
            holding_.set_value();
            release_.get_future().wait();
          });
        }} {
    holding_.get_future().wait();
  }
  ~Hold() {
    release_.set_value();
    thread_.join();
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  bool held_ = false;
  std::promise<void> holding_;
  std::promise<void> release_;
  std::thread thread_;
};

class CacheKeeperTest : public ::testing::Test {
 protected:
  static constexpr int count = 3000;  // names, and more than one block of them on disk

  static std::string host(int number) { return "host-" + std::to_string(number) + ".example."; }

  static void fill_one(cache::AnswerCache& into, const std::string& name) {
    const dns::Question question = question_of(name);
    into.insert(into.key_of(question, false, false), Reply(question).address(3600).kept().view(),
                {.keep = true, .fresh_seconds = 3600}, base::seconds_of(base::Clock::now()));
  }
  static void fill(cache::AnswerCache& into) {
    for (int number = 0; number < count; ++number) fill_one(into, host(number));
  }
  bool knows(const cache::AnswerCache& which, const std::string& name) {
    const dns::Question question = question_of(name);
    const base::EpochBatch batch{reader};
    return which.find(which.key_of(question, false, false), base::seconds_of(base::Clock::now()))
               .state == cache::Found::State::fresh;
  }
  int known(const cache::AnswerCache& which) {
    int names = 0;
    for (int number = 0; number < count; ++number) names += knows(which, host(number)) ? 1 : 0;
    return names;
  }

  void save_for_next_run() {
    cache::AnswerCache before{{.budget = 1 << 20, .threads = 1, .seed = {3, 4}}, epochs};
    fill(before);
    const std::uint64_t ways = policy::fingerprint_of_ways(snapshots.share()->config);
    const auto saved = cache::archive::save(before, path, moment(ways), [] { return true; });
    ASSERT_TRUE(saved) << saved.error();
    ASSERT_GT(saved->octets, cache::archive::block_size);
  }
  /// What another process would find on disk.
  std::unique_ptr<cache::AnswerCache> next_run() {
    auto next = std::make_unique<cache::AnswerCache>(
        cache::AnswerCache::Options{.budget = 4 << 20, .threads = 1, .seed = {5, 6}}, epochs);
    const std::uint64_t ways = policy::fingerprint_of_ways(snapshots.share()->config);
    cache::archive::load(*next, path, conf::Cache{}, moment(ways), [] { return true; });
    return next;
  }
  static cache::archive::Moment moment(std::uint64_t ways) {
    return {std::chrono::system_clock::now().time_since_epoch() / std::chrono::seconds{1},
            base::seconds_of(base::Clock::now()), ways};
  }

  void reload(const std::function<void(conf::Config&)>& change) {
    conf::Config next = snapshots.share()->config;
    change(next);
    snapshots.publish(std::make_shared<const Snapshot>(std::move(next), 1));
    keeper.reconsider();
  }
  std::future<void> begin(std::function<void()> work) {
    return std::async(std::launch::async, std::move(work));
  }
  void stop() {
    std::future<void> stopped = begin([this] { keeper.stop(patience); });
    expect_end(stopped, "the keeper");
  }

  // The cache has four segments, which are saved in order.
  [[nodiscard]] std::size_t last_segment() const { return cache.pieces() / 4 * 3; }
  [[nodiscard]] dns::Name of_first_segment() const {
    std::optional<dns::Name> name;
    cache.visit(0, [&name](const cache::KeptEntry& entry) {
      if (!name) name = dns::MessageWalk{entry.answer.wire}.question().name;
    });
    return name.value();
  }
  /// Where the one entry of the cache lies.
  [[nodiscard]] std::size_t piece_of_one() const {
    for (std::size_t piece = 0; piece < cache.pieces(); ++piece) {
      bool is_here = false;
      cache.visit(piece, [&is_here](const cache::KeptEntry&) { is_here = true; });
      if (is_here) return piece;
    }
    throw std::logic_error("the cache is empty");
  }

  TemporaryDirectory folder;
  const std::string path = folder.file("cache.saved");
  base::Log log{{.level = base::LogLevel::off}};
  base::Epochs epochs;
  base::EpochReader reader{epochs};
  cache::AnswerCache cache{{.budget = 1 << 20, .threads = 1, .seed = {1, 2}}, epochs};
  Snapshots snapshots{epochs, std::make_shared<const Snapshot>(conf::Config{}, 1)};
  CacheKeeper keeper{cache, snapshots, log, folder.path()};
};

TEST_F(CacheKeeperTest, WhatIsKeptIsThereInTheNextRun) {
  keeper.start();
  fill(cache);
  stop();
  EXPECT_EQ(keeper.facts().saves, 1U);
  EXPECT_EQ(known(*next_run()), count);
}

/// However soon the end comes: there was nothing on disk that would have to stay.
TEST_F(CacheKeeperTest, AnEndAtOnceSavesWhatThereIs) {
  fill(cache);
  keeper.start();
  stop();
  EXPECT_EQ(known(*next_run()), count);
}

/// The first makes it want to save, the second ends the loading.
TEST_F(CacheKeeperTest, AReloadAndAFlushWhileItLoadsDoNotHangIt) {
  save_for_next_run();
  fill(cache);
  std::optional<Hold> hold{std::in_place, cache, 0};
  keeper.start();
  reload([](conf::Config& config) { config.upstreams.emplace_back().url = "udp://192.0.2.7"; });
  std::future<void> flushed = begin([this] { keeper.forget_all(); });
  std::this_thread::sleep_for(a_while);
  hold.reset();
  expect_end(flushed, "the flush");
  stop();
  EXPECT_EQ(known(*next_run()), 0);
}

TEST_F(CacheKeeperTest, ANameFlushedWhileItLoadsStaysAwayAndTheOthersCome) {
  save_for_next_run();
  fill_one(cache, "held.example.");
  std::optional<Hold> hold{std::in_place, cache, piece_of_one()};
  keeper.start();
  const std::string gone = host(count - 1);
  std::future<void> flushed = begin([&] {
    keeper.forget({{dns::Name::from_text(gone).value(), false},
                   {dns::Name::from_text("host-1.example.").value(), true}});
  });
  std::this_thread::sleep_for(a_while);
  hold.reset();
  expect_end(flushed, "the flush");
  EXPECT_TRUE(comes_true([this] { return keeper.facts().saves == 1; }));
  EXPECT_EQ(known(cache), count - 2);
  EXPECT_FALSE(knows(cache, gone));
  EXPECT_FALSE(knows(cache, "host-1.example."));
  stop();
  EXPECT_EQ(known(*next_run()), count - 2);
}

/// What could be loaded no more is not lost to the next run.
TEST_F(CacheKeeperTest, AnEndWhileItLoadsLeavesWhatIsOnDisk) {
  save_for_next_run();
  fill_one(cache, "held.example.");
  std::optional<Hold> hold{std::in_place, cache, piece_of_one()};
  keeper.start();
  std::future<void> stopped = begin([this] { keeper.stop(patience); });
  std::this_thread::sleep_for(a_while);
  hold.reset();
  expect_end(stopped, "the keeper");
  EXPECT_EQ(known(*next_run()), count);
}

TEST_F(CacheKeeperTest, AFlushWhileItSavesBeforeTheEndIsSavedToo) {
  fill(cache);
  const dns::Name gone = of_first_segment();
  keeper.start();
  std::optional<Hold> hold{std::in_place, cache, last_segment()};
  keeper.forget({});  // which is a reason to save
  ASSERT_TRUE(comes_true([this] { return std::filesystem::exists(path + ".new"); }));
  std::this_thread::sleep_for(a_while);
  cache.forget(cache.key_of({gone, dns::RrType::a, dns::RrClass::in}, false, false));
  std::future<void> stopped = begin([this] { keeper.stop(patience); });
  std::this_thread::sleep_for(a_while);
  hold.reset();
  expect_end(stopped, "the keeper");
  const auto next = next_run();
  EXPECT_EQ(known(*next), count - 1);
  EXPECT_FALSE(knows(*next, gone.to_text()));
}

TEST_F(CacheKeeperTest, AReloadWhileItSavesIsNoticed) {
  fill(cache);
  keeper.start();
  std::optional<Hold> hold{std::in_place, cache, last_segment()};
  keeper.forget({});
  ASSERT_TRUE(comes_true([this] { return std::filesystem::exists(path + ".new"); }));
  reload([](conf::Config& config) { config.cache.save = false; });
  hold.reset();
  EXPECT_TRUE(comes_true([this] { return keeper.facts().saves == 1; }));
  EXPECT_TRUE(comes_true([this] { return !std::filesystem::exists(path); }));
  stop();
}

}  // namespace
}  // namespace gateway
