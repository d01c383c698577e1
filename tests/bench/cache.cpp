// A cache hit, look-up and fitting, over 500,000 answers asked for by Zipf's law; beside it the
// same answers in 64 hash maps behind reader-writer locks, the usual way. CPU nanoseconds per hit
// by each thread's own clock, in pairs of short rounds, so that a busy machine harms both alike;
// the median of the pairs' ratios is what counts.
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <functional>
#include <mutex>
#include <numeric>
#include <random>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/epoch.h"
#include "cache/answer_cache.h"
#include "dns/answer.h"
#include "dns/fit.h"
#include "tests/cache/replies.h"

namespace {

constexpr std::size_t names = 500'000;
constexpr std::size_t hits_per_round = 200'000;
constexpr std::size_t pairs = 15;
constexpr base::Seconds32 now = 1000;
constexpr cache::Lifetime lifetime{.keep = true, .fresh_seconds = 3600, .stale_seconds = 86400};
constexpr std::size_t batch_size = 32;

/// "www.00000042.some-domains.example.", 35 octets, its digits written in place as a packet's would
/// be.
class Asker {
 public:
  Asker() {
    request.has_question = true;
    request.flags = dns::flag::rd;
    request.question = cache::test::question_of("www.00000000.some-domains.example.");
  }
  const dns::Request& ask(std::uint32_t number) {
    std::uint8_t* const digits = request.question.name.mutable_wire().data() + 5;
    for (int place = 7; place >= 0; --place, number /= 10) {
      digits[place] = static_cast<std::uint8_t>('0' + number % 10);
    }
    return request;
  }

 private:
  dns::Request request;
};

/// Numbers of names, by Zipf's law with exponent 1; which name is popular has nothing to do with
/// when it was stored.
std::vector<std::uint32_t> zipf_numbers(std::size_t count, unsigned seed) {
  std::vector<double> sums(names);
  double sum = 0;
  for (std::size_t rank = 0; rank < names; ++rank)
    sums[rank] = sum += 1.0 / static_cast<double>(rank + 1);
  std::vector<std::uint32_t> number_of_rank(names);
  std::iota(number_of_rank.begin(), number_of_rank.end(), 0U);
  std::ranges::shuffle(number_of_rank, std::mt19937(1));
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0, sum);
  std::vector<std::uint32_t> numbers(count);
  for (std::uint32_t& number : numbers) {
    const auto rank =
        static_cast<std::size_t>(std::ranges::lower_bound(sums, uniform(random)) - sums.begin());
    number = number_of_rank[std::min(rank, names - 1)];
  }
  return numbers;
}

/// What it is compared with.
class ShardedMaps {
 public:
  struct Stored {
    dns::Question question;
    base::Seconds32 inserted;
    base::Seconds32 expires;
    dns::KeptAnswer answer;
  };

  void insert(const cache::Key& key, const dns::Question& question, const dns::KeptAnswer& answer) {
    Shard& shard = shard_of(key);
    const std::scoped_lock lock(shard.mutex);
    shard.map.insert_or_assign(key.hash,
                               Stored{question, now, now + lifetime.fresh_seconds, answer});
  }

  std::size_t fit(const cache::Key& key, const dns::Request& request, base::MutableBytes out) {
    Shard& shard = shard_of(key);
    const std::shared_lock lock(shard.mutex);
    const auto place = shard.map.find(key.hash);
    if (place == shard.map.end() || place->second.question != request.question) return 0;
    if (now >= place->second.expires) return 0;
    return dns::fit(request, place->second.answer.view(), {.age = now - place->second.inserted},
                    out);
  }

 private:
  struct alignas(64) Shard {
    std::shared_mutex mutex;
    std::unordered_map<std::uint64_t, Stored> map;
  };
  Shard& shard_of(const cache::Key& key) { return shards_[key.hash >> 58]; }

  std::array<Shard, 64> shards_;
};

double thread_nanoseconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

void stay_on(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu % std::max(1U, std::thread::hardware_concurrency()), &set);
  ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
}

using Round = std::function<std::size_t(const std::vector<std::uint32_t>&, std::size_t first)>;

/// CPU nanoseconds per hit, over all threads; each has its own numbers and its own `Round`.
double measure(unsigned threads, const std::vector<std::vector<std::uint32_t>>& numbers,
               std::size_t first, const std::function<Round()>& make_round) {
  std::vector<double> spent(threads);
  {
    std::vector<std::jthread> running;
    for (unsigned thread = 0; thread < threads; ++thread) {
      running.emplace_back([thread, first, &numbers, &make_round, &spent] {
        stay_on(thread);
        const Round round = make_round();
        const double start = thread_nanoseconds();
        const std::size_t octets = round(numbers[thread], first);
        spent[thread] = thread_nanoseconds() - start;
        if (octets < hits_per_round * 60)
          std::fprintf(stderr, "answers are missing\n"), std::abort();
      });
    }
  }
  return std::accumulate(spent.begin(), spent.end(), 0.0) /
         static_cast<double>(threads * hits_per_round);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

int main() {
  base::Epochs epochs;
  const cache::HashSeed seed = cache::HashSeed::random();
  cache::AnswerCache answers({.budget = 128 << 20, .threads = 2, .seed = seed}, epochs);
  ShardedMaps maps;
  const std::uint64_t empty_octets = answers.stats().octets;
  {
    Asker asker;
    std::vector<std::uint32_t> order(names);
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::shuffle(order, std::mt19937(2));
    for (const std::uint32_t number : order) {
      const dns::Question& question = asker.ask(number).question;
      const dns::KeptAnswer answer = cache::test::Reply(question).address(3600).kept();
      const cache::Key key = answers.key_of(question, false, false);
      answers.insert(key, answer.view(), lifetime, now);
      maps.insert(key, question, answer);
    }
  }
  const cache::CacheStats stats = answers.stats();
  std::printf("entries %zu, slab octets per answer %.1f, with the index %.1f\n",
              static_cast<std::size_t>(stats.entries),
              static_cast<double>(stats.octets - empty_octets) / static_cast<double>(stats.entries),
              static_cast<double>(stats.octets) / static_cast<double>(stats.entries));

  const auto ours = [&answers, &epochs]() -> Round {
    return [&answers, &epochs](const std::vector<std::uint32_t>& numbers, std::size_t first) {
      base::EpochReader reader(epochs);
      Asker asker;
      std::array<std::uint8_t, 4096> out;
      std::size_t octets = 0;
      for (std::size_t at = 0; at < hits_per_round; at += batch_size) {
        const base::EpochBatch batch(reader);
        for (std::size_t in_batch = 0; in_batch < batch_size; ++in_batch) {
          const dns::Request& request = asker.ask(numbers[first + at + in_batch]);
          const cache::Found found =
              answers.find(answers.key_of(request.question, false, false), now);
          if (found.state != cache::Found::State::fresh) continue;
          octets += dns::fit(request, found.answer, {.age = found.age}, out);
        }
      }
      return octets;
    };
  };
  const auto look_up_alone = [&answers, &epochs]() -> Round {
    return [&answers, &epochs](const std::vector<std::uint32_t>& numbers, std::size_t first) {
      base::EpochReader reader(epochs);
      Asker asker;
      std::size_t octets = 0;
      for (std::size_t at = 0; at < hits_per_round; at += batch_size) {
        const base::EpochBatch batch(reader);
        for (std::size_t in_batch = 0; in_batch < batch_size; ++in_batch) {
          const dns::Request& request = asker.ask(numbers[first + at + in_batch]);
          octets +=
              answers.find(answers.key_of(request.question, false, false), now).answer.wire.size();
        }
      }
      return octets;
    };
  };
  const auto theirs = [&answers, &maps]() -> Round {
    return [&answers, &maps](const std::vector<std::uint32_t>& numbers, std::size_t first) {
      Asker asker;
      std::array<std::uint8_t, 4096> out;
      std::size_t octets = 0;
      for (std::size_t at = 0; at < hits_per_round; ++at) {
        const dns::Request& request = asker.ask(numbers[first + at]);
        octets += maps.fit(answers.key_of(request.question, false, false), request, out);
      }
      return octets;
    };
  };

  constexpr unsigned threads_max = 2;
  std::vector<std::vector<std::uint32_t>> numbers;
  for (unsigned thread = 0; thread < threads_max; ++thread) {
    numbers.push_back(zipf_numbers(hits_per_round * (pairs + 1), 100 + thread));
  }
  std::array<double, threads_max + 1> best{};
  for (unsigned threads = 1; threads <= threads_max; ++threads) {
    std::vector<double> of_ours;
    std::vector<double> of_theirs;
    std::vector<double> of_look_up;
    std::vector<double> ratios;
    for (std::size_t pair = 0; pair <= pairs; ++pair) {
      const std::size_t first = pair * hits_per_round;
      const double our = measure(threads, numbers, first, ours);
      const double their = measure(threads, numbers, first, theirs);
      const double look_up = measure(threads, numbers, first, look_up_alone);
      if (pair == 0) continue;  // warms up
      of_ours.push_back(our);
      of_theirs.push_back(their);
      of_look_up.push_back(look_up);
      ratios.push_back(our / their);
    }
    best[threads] = median(of_ours);
    std::printf(
        "%u thread(s): look-up and fit %.0f ns, sharded maps %.0f ns, ratio %.2f (least %.2f, most "
        "%.2f); "
        "look-up alone %.0f ns\n",
        threads, median(of_ours), median(of_theirs), median(ratios), std::ranges::min(ratios),
        std::ranges::max(ratios), median(of_look_up));
  }
  std::printf("2 threads cost %.2f times 1 per hit\n", best[2] / best[1]);
}
