// Deadlines on one timer: none early, none lost, whoever ends whom.
#include "transports/timer_wheel.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

namespace transports {
namespace {

using namespace std::chrono_literals;

class Alarm final : public TimerWheel::Entry {
 public:
  explicit Alarm(std::function<void()> action = [] {}) : action_(std::move(action)) {}
  base::TimePoint rang{};

 private:
  void on_deadline(base::TimePoint now) override {
    rang = now;
    action_();
  }
  std::function<void()> action_;
};

class Wheel : public testing::Test {
 protected:
  /// Runs until the timer has nothing to wait for: every deadline is met then.
  void run() { io_.run_for(10s); }

  boost::asio::io_context io_{1};
  TimerWheel wheel_{io_};
  base::TimePoint start_ = base::Clock::now();
};

TEST_F(Wheel, NoDeadlineIsMetEarlyAndTheTimerRestsAfterTheLast) {
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int i = 0; i < 20; ++i) {
    alarms.push_back(std::make_unique<Alarm>());
    wheel_.set(*alarms.back(), start_ + i * 11ms);
  }
  run();
  for (int i = 0; i < 20; ++i) {
    EXPECT_GE(alarms[static_cast<std::size_t>(i)]->rang, start_ + i * 11ms) << i;
  }
  EXPECT_TRUE(io_.stopped()) << "nothing is waited for any more";
}

TEST_F(Wheel, EarlierDeadlineRingsBeforeOneSetBefore) {
  std::vector<int> order;
  Alarm late([&] { order.push_back(2); });
  Alarm early([&] { order.push_back(1); });
  wheel_.set(late, start_ + 300ms);
  wheel_.set(early, start_ + 100ms);
  run();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST_F(Wheel, DeadlineMayBeMovedBothWays) {
  Alarm later;
  Alarm sooner;
  wheel_.set(later, start_ + 60ms);
  wheel_.set(later, start_ + 250ms);
  wheel_.set(sooner, start_ + 1h);
  wheel_.set(sooner, start_ + 100ms);
  run();
  EXPECT_GE(later.rang, start_ + 250ms);
  EXPECT_GE(sooner.rang, start_ + 100ms);
  EXPECT_LE(sooner.rang, later.rang);
}

TEST_F(Wheel, ClearedAndEndedOnesDoNotRing) {
  Alarm cleared;
  wheel_.set(cleared, start_ + 50ms);
  auto ended = std::make_unique<Alarm>([] { ADD_FAILURE(); });
  wheel_.set(*ended, start_ + 50ms);
  Alarm kept;
  wheel_.set(kept, start_ + 60ms);
  wheel_.clear(cleared);
  ended.reset();
  run();
  EXPECT_EQ(cleared.rang, base::TimePoint{});
  EXPECT_NE(kept.rang, base::TimePoint{});
}

TEST_F(Wheel, WhatRingsMayEndOthersOfItsTick) {
  std::vector<std::unique_ptr<Alarm>> alarms;
  int rang = 0;
  for (int i = 0; i < 3; ++i) {
    alarms.push_back(std::make_unique<Alarm>([&] {
      ++rang;
      for (auto& alarm : alarms) {
        if (alarm && alarm->rang == base::TimePoint{}) alarm.reset();
      }
    }));
    wheel_.set(*alarms.back(), start_ + 50ms);
  }
  run();
  EXPECT_EQ(rang, 1);
}

TEST_F(Wheel, WhatRingsMayBeSetAnew) {
  int rang = 0;
  Alarm* self = nullptr;
  Alarm alarm([&] {
    if (++rang < 3) wheel_.set(*self, base::Clock::now());
  });
  self = &alarm;
  wheel_.set(alarm, start_);
  run();
  EXPECT_EQ(rang, 3);
}

TEST_F(Wheel, DeadlineBeyondATurnOfTheWheelWaitsForItsTime) {
  Alarm far;
  Alarm near;
  wheel_.set(far, start_ + 1024 * TimerWheel::usual_tick + 100ms);  // the same slot as `near`
  wheel_.set(near, start_ + 100ms);
  io_.run_for(400ms);
  EXPECT_NE(near.rang, base::TimePoint{});
  EXPECT_EQ(far.rang, base::TimePoint{});
}

TEST_F(Wheel, StoppedWheelLetsTheLoopEnd) {
  Alarm alarm;
  wheel_.set(alarm, start_ + 1h);
  wheel_.stop();
  run();
  EXPECT_TRUE(io_.stopped());
  wheel_.set(alarm, start_ + 1h);
  io_.restart();
  run();
  EXPECT_TRUE(io_.stopped());
}

}  // namespace
}  // namespace transports
