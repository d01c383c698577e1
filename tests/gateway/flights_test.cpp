// One exchange for the same question, over threads.
#include "gateway/flights.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace gateway {
namespace {

struct TestWorker {
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
      context.get_executor()};
  Mailbox mailbox{context};
  std::jthread thread{[this] { context.run(); }};
};

FlightKey key_for(const std::string& name) {
  FlightKey key;
  key.question.name = dns::Name::from_text(name).value();
  key.question.type = dns::RrType::a;
  key.hash = std::hash<std::string>{}(name);
  return key;
}

struct Tally {
  std::atomic<unsigned> launched{0};
  std::atomic<Flight*> begun{nullptr};
  std::atomic<unsigned> answered{0};
  std::atomic<unsigned> on_wrong_thread{0};
};

class TestPassenger final : public Passenger {
 public:
  TestPassenger(TestWorker& worker, Tally& tally)
      : Passenger(worker.mailbox), worker_(worker), tally_(tally) {}

  /// On the worker's thread.
  void board(Flights& flights, const FlightKey& key) {
    boost::asio::post(worker_.context, [this, &flights, key] {
      const base::TimePoint now = base::Clock::now();
      Flight* const begun = flights.join(key, now, now + std::chrono::seconds{4}, *this);
      if (begun == nullptr) return;
      tally_.begun = begun;
      ++tally_.launched;
    });
  }

 private:
  void landed(const Landed& landed) override {
    if (std::this_thread::get_id() != worker_.thread.get_id()) ++tally_.on_wrong_thread;
    if (landed.source == transports::Source::upstream) ++tally_.answered;
  }

  TestWorker& worker_;
  Tally& tally_;
};

std::shared_ptr<const Landed> reply() {
  return std::make_shared<const Landed>(dns::KeptAnswer{}, transports::Source::upstream);
}

TEST(Flights, ManyWaitersOnTwoThreadsMakeOneLaunchAndAllAreAnswered) {
  Flights flights;
  Tally tally;
  TestWorker first;
  TestWorker second;
  std::deque<TestPassenger> passengers;
  constexpr unsigned waiters = 500;
  for (unsigned i = 0; i < waiters; ++i)
    passengers.emplace_back(i % 2 == 0 ? first : second, tally)
        .board(flights, key_for("www.example."));
  std::atomic<unsigned> drained{0};
  for (TestWorker* worker : {&first, &second}) {
    boost::asio::post(worker->context, [&drained] {
      ++drained;
      drained.notify_all();
    });
  }
  for (unsigned seen = drained; seen < 2; seen = drained) drained.wait(seen);
  EXPECT_EQ(tally.launched, 1U);
  EXPECT_EQ(flights.size(), 1U);
  flights.land(*tally.begun, reply());
  EXPECT_EQ(flights.size(), 0U);
  for (TestWorker* worker : {&first, &second}) {
    worker->work.reset();
    worker->thread.join();
  }
  EXPECT_EQ(tally.answered, waiters);
  EXPECT_EQ(tally.on_wrong_thread, 0U);
}

/// Without a thread: the test turns the loop.
class FlightsOfOne : public ::testing::Test {
 protected:
  struct Waiting final : Passenger {
    explicit Waiting(Mailbox& mailbox) : Passenger(mailbox) {}
    void landed(const Landed& /*landed*/) override { ++told; }
    unsigned told = 0;
  };
  Flight* join(const FlightKey& key, Waiting& waiting) {
    return flights.join(key, now, now + std::chrono::seconds{4}, waiting);
  }
  void turn() {
    context.restart();
    context.poll();
  }

  boost::asio::io_context context{1};
  Mailbox mailbox{context};
  Flights flights;
  base::TimePoint now = base::Clock::now();
};

TEST_F(FlightsOfOne, WhatChangesTheAnswerIsAnotherFlight) {
  FlightKey with_do = key_for("www.example.");
  with_do.dnssec_ok = true;
  FlightKey with_cd = key_for("www.example.");
  with_cd.checking_disabled = true;
  FlightKey other_case = key_for("www.example.");
  other_case.question.name = dns::Name::from_text("WWW.example.").value();
  std::array<Waiting, 4> waiting{Waiting{mailbox}, Waiting{mailbox}, Waiting{mailbox},
                                 Waiting{mailbox}};
  Flight* const first = join(key_for("www.example."), waiting[0]);
  EXPECT_EQ(join(other_case, waiting[1]), nullptr);
  Flight* const second = join(with_do, waiting[2]);
  Flight* const third = join(with_cd, waiting[3]);
  for (Flight* const flight : {first, second, third}) {
    ASSERT_NE(flight, nullptr);
    flights.land(*flight, reply());
  }
  turn();
  for (const Waiting& each : waiting) EXPECT_EQ(each.told, 1U);
}

TEST_F(FlightsOfOne, WhoLeavesIsNotToldAndTheFlightGoesOn) {
  Waiting patient{mailbox};
  Waiting impatient{mailbox};
  Flight* const flight = join(key_for("www.example."), patient);
  EXPECT_EQ(join(key_for("www.example."), impatient), nullptr);
  EXPECT_TRUE(flights.leave(impatient));
  flights.land(*flight, reply());
  EXPECT_FALSE(flights.leave(patient)) << "it has landed, and is about to be told";
  turn();
  EXPECT_EQ(patient.told, 1U);
  EXPECT_EQ(impatient.told, 0U);
}

TEST_F(FlightsOfOne, WhoIsToldMayWaitForTheSameQuestionAgain) {
  Waiting waiting{mailbox};
  flights.land(*join(key_for("www.example."), waiting), reply());
  turn();
  Flight* const again = join(key_for("www.example."), waiting);
  ASSERT_NE(again, nullptr);
  EXPECT_FALSE(flights.is_late(again->key, now, std::chrono::milliseconds{50}));
  EXPECT_TRUE(flights.is_late(again->key, now + std::chrono::milliseconds{50},
                              std::chrono::milliseconds{50}));
  flights.land(*again, reply());
  turn();
  EXPECT_EQ(waiting.told, 2U);
}

TEST_F(FlightsOfOne, ARefreshLandsThoughNobodyWaitsAndGivesItsPlaceBack) {
  EXPECT_TRUE(flights.reserve_refresh(1));
  EXPECT_FALSE(flights.reserve_refresh(1));
  Flight* const refresh = flights.begin_refresh(key_for("www.example."), now, now);
  ASSERT_NE(refresh, nullptr);
  flights.land(*refresh, reply());
  EXPECT_EQ(flights.size(), 0U);
  EXPECT_EQ(flights.refreshes().renewed, 1U);
  EXPECT_TRUE(flights.reserve_refresh(1));
}

}  // namespace
}  // namespace gateway
