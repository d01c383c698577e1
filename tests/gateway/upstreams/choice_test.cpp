// Orders of made-up candidates.
#include "gateway/upstreams/choice.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gateway::upstreams {
namespace {

using namespace std::chrono_literals;
using conf::Strategy;

std::vector<Candidate> three() {
  std::vector<Candidate> candidates(3);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    candidates[i].identity = 1000 + i;
    candidates[i].known = true;
    candidates[i].smoothed = 10ms * (3 - i);
  }
  return candidates;
}

std::vector<unsigned> order(Strategy strategy, const std::vector<Candidate>& candidates,
                            std::uint64_t name_hash = 1, std::uint64_t chance = 1) {
  const Order chosen = choose(strategy, candidates, name_hash, chance);
  return {chosen.view().begin(), chosen.view().end()};
}

/// How often each was first, by `chance` and by names.
std::vector<unsigned> firsts(Strategy strategy, const std::vector<Candidate>& candidates) {
  std::vector<unsigned> count(candidates.size());
  for (std::uint64_t i = 1; i <= 6000; ++i) {
    const auto name = dns::Name::from_text("n" + std::to_string(i) + ".example.").value();
    ++count[order(strategy, candidates, hash_of(name), i * 0x9e3779b97f4a7c15)[0]];
  }
  return count;
}

TEST(Choice, FailoverKeepsTheOrderOfTheFile) {
  EXPECT_EQ(order(Strategy::failover, three()), (std::vector<unsigned>{0, 1, 2}));
}

TEST(Choice, WhoIsNotWellComesLaterWhateverTheStrategy) {
  for (const Strategy strategy :
       {Strategy::failover, Strategy::fastest, Strategy::hash, Strategy::random, Strategy::race2}) {
    auto candidates = three();
    candidates[0].standing = Standing::resting;
    candidates[0].probe_at = base::TimePoint{2s};
    candidates[1].standing = Standing::resting;
    candidates[1].probe_at = base::TimePoint{1s};
    EXPECT_EQ(order(strategy, candidates), (std::vector<unsigned>{2, 1, 0}));
    candidates[2].standing = Standing::resting;
    candidates[2].probe_at = base::TimePoint{3s};
    EXPECT_EQ(order(strategy, candidates), (std::vector<unsigned>{1, 0, 2}))
        << "nobody is locked out: the one whose rest ends first is asked";
    candidates[0].standing = Standing::suspected;
    EXPECT_EQ(order(strategy, candidates)[0], 0U);
  }
}

TEST(Choice, TheDrainedComesLast) {
  auto candidates = three();
  candidates[0].drained = true;
  candidates[1].standing = Standing::resting;
  EXPECT_EQ(order(Strategy::failover, candidates), (std::vector<unsigned>{2, 1, 0}));
}

TEST(Choice, FastestAsksTheFastestAndNowAndThenAnother) {
  const auto count = firsts(Strategy::fastest, three());
  EXPECT_GT(count[2], 6000U * 9 / 10);
  EXPECT_GT(count[0], 50U);
  EXPECT_GT(count[1], 50U);
}

TEST(Choice, FastestFindsOutAboutTheUnknownFirst) {
  auto candidates = three();
  candidates[0].known = false;
  EXPECT_GT(firsts(Strategy::fastest, candidates)[0], 5000U);
}

TEST(Choice, ADoubleWeightMakesTheSlowerOneAsGood) {
  auto candidates = three();
  candidates[0].weight = 4;  // 30 ms, a quarter of which is less than 10 ms
  EXPECT_GT(firsts(Strategy::fastest, candidates)[0], 5000U);
}

TEST(Choice, RandomAndHashSpreadByWeight) {
  for (const Strategy strategy : {Strategy::random, Strategy::hash}) {
    auto candidates = three();
    candidates[1].weight = 2;
    const auto count = firsts(strategy, candidates);
    EXPECT_NEAR(count[0], 1500, 200);
    EXPECT_NEAR(count[1], 3000, 250);
    EXPECT_NEAR(count[2], 1500, 200);
  }
}

TEST(Choice, HashGivesANameItsUpstreamWhateverItsCaseAndTheSetsOrder) {
  EXPECT_EQ(hash_of(dns::Name::from_text("WWW.example.").value()),
            hash_of(dns::Name::from_text("www.EXAMPLE.").value()));
  auto candidates = three();
  auto turned = candidates;
  std::ranges::reverse(turned);
  for (std::uint64_t name = 0; name < 100; ++name) {
    const unsigned first = order(Strategy::hash, candidates, name, name)[0];
    EXPECT_EQ(order(Strategy::hash, candidates, name, name + 7)[0], first);
    EXPECT_EQ(order(Strategy::hash, turned, name)[0], 2 - first);
  }
}

TEST(Choice, WhenOneLeavesOnlyItsNamesMove) {
  auto candidates = three();
  auto without = candidates;
  without[1].standing = Standing::resting;
  for (std::uint64_t name = 0; name < 200; ++name) {
    const unsigned first = order(Strategy::hash, candidates, name)[0];
    if (first != 1) {
      EXPECT_EQ(order(Strategy::hash, without, name)[0], first);
    }
  }
}

}  // namespace
}  // namespace gateway::upstreams
