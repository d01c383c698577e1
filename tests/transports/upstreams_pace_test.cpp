// Smoothed time and slowest twentieth of made-up exchanges.
#include "transports/upstreams/pace.h"

#include <gtest/gtest.h>

namespace transports {
namespace {

using namespace std::chrono_literals;

TEST(Pace, IsUnknownUntilThereWereSome) {
  Pace pace;
  for (unsigned i = 0; i + 1 < Pace::known_from; ++i) pace.took(1ms);
  EXPECT_FALSE(pace.known());
  pace.took(1ms);
  EXPECT_TRUE(pace.known());
}

TEST(Pace, Rfc6298_2_3_SmoothsByAnEighth) {
  Pace pace;
  pace.took(8ms);
  EXPECT_EQ(pace.smoothed(), 8ms);
  pace.took(16ms);
  EXPECT_EQ(pace.smoothed(), 9ms);
}

TEST(Pace, TheSlowestTwentiethIsFoundWithinABucket) {
  Pace pace;
  for (int i = 0; i < 100; ++i) pace.took(i % 10 == 0 ? 400ms : 1ms);
  EXPECT_GE(pace.p95(), 250ms);
  EXPECT_LE(pace.p95(), 550ms);
}

TEST(Pace, RareOutliersDoNotMoveIt) {
  Pace pace;
  for (int i = 0; i < 1000; ++i) pace.took(i % 50 == 7 ? 500ms : 1ms);
  EXPECT_LE(pace.p95(), 2ms);
}

TEST(Pace, ForgetsWhatWas) {
  Pace pace;
  for (int i = 0; i < 1000; ++i) pace.took(200ms);
  for (int i = 0; i < 600; ++i) pace.took(2ms);
  EXPECT_LE(pace.p95(), 4ms);
  EXPECT_LE(pace.smoothed(), 3ms);
}

TEST(Pace, TakesWhatIsNoTimeAtAllAndWhatIsAnEternity) {
  Pace pace;
  for (int i = 0; i < 20; ++i) pace.took(0ms);
  EXPECT_LE(pace.p95(), 2us);
  for (int i = 0; i < 200; ++i) pace.took(24h);
  EXPECT_GE(pace.p95(), 8s);
}

}  // namespace
}  // namespace transports
