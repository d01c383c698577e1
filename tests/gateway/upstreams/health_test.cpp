// The circuit breaker on made-up time.
#include "gateway/upstreams/health.h"

#include <gtest/gtest.h>

namespace gateway::upstreams {
namespace {

using namespace std::chrono_literals;

class HealthTest : public ::testing::Test {
 protected:
  void fail_until_rest() {
    for (unsigned i = 0; i < Health::failures_before_rest; ++i) health.failed(now, "no reply");
  }
  Health health;
  base::TimePoint now{1h};
};

TEST_F(HealthTest, RestsAfterFailuresInARow) {
  for (unsigned i = 0; i + 1 < Health::failures_before_rest; ++i) health.failed(now, "no reply");
  health.replied(now);
  health.failed(now, "no reply");
  EXPECT_EQ(health.standing(), Standing::well);
  fail_until_rest();
  EXPECT_EQ(health.standing(), Standing::resting);
  EXPECT_EQ(health.probe_at(), now + Health::rest_least);
}

TEST_F(HealthTest, FailuresThatWereUnderWayWhenTheRestBeganCountOnce) {
  fail_until_rest();
  for (int i = 0; i < 100; ++i) health.failed(now + 10ms, "no reply");
  EXPECT_EQ(health.probe_at(), now + Health::rest_least);
}

TEST_F(HealthTest, RestsGrowAndAreBounded) {
  fail_until_rest();
  base::Clock::duration before{0};
  for (int i = 0; i < 20; ++i) {
    now = health.probe_at();
    health.failed(now, "no reply");
    const auto rest = health.probe_at() - now;
    EXPECT_GE(rest, before);
    EXPECT_LE(rest, Health::rest_most);
    before = rest;
  }
  EXPECT_EQ(before, Health::rest_most);
}

TEST_F(HealthTest, ASuspicionIsLiftedByAReplyAndConfirmedByOneFailure) {
  health.suspect(now, "silent");
  EXPECT_EQ(health.standing(), Standing::suspected);
  EXPECT_EQ(health.probe_at(), now) << "at once";
  health.replied(now);
  EXPECT_EQ(health.standing(), Standing::well);
  EXPECT_EQ(health.last_error(), "");
  health.suspect(now, "silent");
  health.failed(now, "the probe, too");
  EXPECT_EQ(health.standing(), Standing::resting);
}

TEST_F(HealthTest, AnAnsweredProbeEndsARestButMakesUpForNoFailure) {
  for (unsigned i = 0; i + 1 < Health::failures_before_rest; ++i) {
    health.suspect(now, "silent");
    health.outrun(now, "silent until another answered");
    EXPECT_EQ(health.standing(), Standing::suspected) << "it may have been a lost datagram";
    health.answered_probe(now);
    EXPECT_EQ(health.standing(), Standing::well);
  }
  health.suspect(now, "silent");
  health.outrun(now, "silent until another answered");
  EXPECT_EQ(health.standing(), Standing::resting);
  now = health.probe_at();
  health.answered_probe(now);
  EXPECT_EQ(health.standing(), Standing::well);
  health.failed(now, "no reply");
  EXPECT_EQ(health.standing(), Standing::resting) << "it had one chance";
  EXPECT_EQ(health.probe_at(), now + 2 * Health::rest_least);
}

TEST_F(HealthTest, FailedProbesCountAmongThemselves) {
  for (unsigned i = 0; i + 1 < Health::failures_before_rest; ++i) health.failed_probe(now, "no");
  health.answered_probe(now);
  health.failed_probe(now, "no");
  EXPECT_EQ(health.standing(), Standing::well);
  for (unsigned i = 0; i + 1 < Health::failures_before_rest; ++i) health.failed_probe(now, "no");
  EXPECT_EQ(health.standing(), Standing::resting);
}

TEST_F(HealthTest, WhoComesAndGoesRestsLongerEachTime) {
  fail_until_rest();
  for (int i = 0; i < 3; ++i) {
    now = health.probe_at();
    health.replied(now);
    now += 2s;
    fail_until_rest();
  }
  EXPECT_EQ(health.probe_at() - now, 8s);
  now = health.probe_at();
  health.replied(now);
  now += Health::forgiven_after;
  health.replied(now);
  fail_until_rest();
  EXPECT_EQ(health.probe_at() - now, Health::rest_least);
}

TEST_F(HealthTest, NobodyIsOutForLongerThanHalfAMinute) {
  EXPECT_LT(Health::rest_most + 10s, 30s) << "the longest try is 10 s";
}

}  // namespace
}  // namespace gateway::upstreams
