// When a host is looked up.
#include "gateway/upstreams/lookup_times.h"

#include <gtest/gtest.h>

namespace gateway::upstreams {
namespace {

using namespace std::chrono_literals;

constexpr base::TimePoint start{100h};

TEST(LookupTimes, WhatIsNotKnownIsLookedUpAtOnce) { EXPECT_LE(LookupTimes{}.next(), start); }

TEST(LookupTimes, WhatIsKnownIsLookedUpBeforeItEnds) {
  LookupTimes times;
  times.found(start, 1000s, true);
  EXPECT_EQ(times.next(), start + 900s);
  times.found(start, 0s, true);
  EXPECT_EQ(times.next(), start + 54s) << "a TTL of zero counts as a minute";
  times.found(start, 1000h, true);
  EXPECT_EQ(times.next(), start + 21h + 36min);
  times.remembered(start, 100s);
  EXPECT_EQ(times.next(), start + 90s);
  times.remembered(start, -100s);
  EXPECT_EQ(times.next(), start) << "what was remembered for too long";
}

TEST(LookupTimes, FailuresAreRepeatedAtGrowingDistancesThatEnd) {
  LookupTimes times;
  base::TimePoint now = start;
  for (const auto pause : {1s, 2s, 4s, 8s, 15s, 15s}) {
    times.failed(now);
    EXPECT_EQ(times.next(), now + pause);
    now = times.next();
  }
  times.found(now, 100s, false);
  times.failed(now);
  EXPECT_EQ(times.next(), now + 1s) << "a success makes up for them";
}

TEST(LookupTimes, NobodyThereIsAReasonToAskAtOnceButNotAgainAndAgain) {
  LookupTimes times;
  times.found(start, 24h, true);
  base::TimePoint now = start + 1h;
  times.unreachable(now);
  EXPECT_EQ(times.next(), now);
  for (const auto pause : {2s, 4s, 8s, 15s, 15s}) {
    times.found(now, 24h, false);  // it is where nobody answers, they say
    EXPECT_EQ(times.next(), now + 21h + 36min);
    times.unreachable(now + 100ms);
    EXPECT_EQ(times.next(), now + pause);
    now = times.next();
  }
  times.found(now, 24h, true);
  times.unreachable(now + 100ms);
  EXPECT_EQ(times.next(), now + 1s) << "another address has not been doubted before";
}

TEST(LookupTimes, AnotherNetworkIsAReasonToAskSoon) {
  LookupTimes times;
  for (int i = 0; i < 10; ++i) times.failed(start);
  times.network_changed(start + 100ms);
  EXPECT_EQ(times.next(), start + 1s);
  times.network_changed(start + 5s);
  EXPECT_EQ(times.next(), start + 1s) << "which has passed";
}

}  // namespace
}  // namespace gateway::upstreams
