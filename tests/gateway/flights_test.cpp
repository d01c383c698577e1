// One exchange for the same question, over threads.
#include "gateway/flights.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>

namespace gateway {
namespace {

struct TestWorker {
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<transports::Executor> work{context.get_executor()};
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
  std::atomic<unsigned> answered{0};
  std::atomic<unsigned> on_wrong_thread{0};
};

transports::Awaitable<void> wait_for(Flights& flights, FlightKey key, TestWorker& worker,
                                     Tally& tally) {
  const auto landed = co_await flights.join(key, worker.mailbox, [&tally] { ++tally.launched; });
  if (std::this_thread::get_id() != worker.thread.get_id()) ++tally.on_wrong_thread;
  if (landed->source == transports::Source::upstream) ++tally.answered;
}

TEST(Flights, ManyWaitersOnTwoThreadsMakeOneLaunchAndAllAreAnswered) {
  Flights flights;
  Tally tally;
  TestWorker first;
  TestWorker second;
  constexpr unsigned waiters = 500;
  for (unsigned i = 0; i < waiters; ++i) {
    TestWorker& worker = i % 2 == 0 ? first : second;
    boost::asio::co_spawn(worker.context, wait_for(flights, key_for("www.example."), worker, tally),
                          boost::asio::detached);
  }
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
  flights.land(key_for("www.example."),
               std::make_shared<const Landed>(dns::KeptAnswer{}, transports::Source::upstream));
  EXPECT_EQ(flights.size(), 0U);
  for (TestWorker* worker : {&first, &second}) {
    worker->work.reset();
    worker->thread.join();
  }
  EXPECT_EQ(tally.answered, waiters);
  EXPECT_EQ(tally.on_wrong_thread, 0U);
}

TEST(Flights, WhatChangesTheAnswerIsAnotherFlight) {
  Flights flights;
  Tally tally;
  TestWorker worker;
  FlightKey with_do = key_for("www.example.");
  with_do.dnssec_ok = true;
  FlightKey with_cd = key_for("www.example.");
  with_cd.checking_disabled = true;
  FlightKey other_case = key_for("www.example.");
  other_case.question.name = dns::Name::from_text("WWW.example.").value();
  const std::vector<FlightKey> keys{key_for("www.example."), other_case, with_do, with_cd};
  for (const FlightKey& key : keys) {
    boost::asio::co_spawn(worker.context, wait_for(flights, key, worker, tally),
                          boost::asio::detached);
  }
  boost::asio::post(worker.context, [&] {
    EXPECT_EQ(tally.launched, 3U);
    for (const FlightKey& key : keys) {
      flights.land(key,
                   std::make_shared<const Landed>(dns::KeptAnswer{}, transports::Source::upstream));
    }
    worker.work.reset();
  });
  worker.thread.join();
  EXPECT_EQ(tally.answered, 4U);
}

TEST(Flights, LandingWhatNobodyWaitsForIsNothing) {
  Flights flights;
  flights.land(key_for("www.example."), std::make_shared<const Landed>());
  EXPECT_EQ(flights.size(), 0U);
}

}  // namespace
}  // namespace gateway
