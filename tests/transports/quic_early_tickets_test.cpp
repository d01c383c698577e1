// Tickets for early data: each once, and the oldest are forgotten.
#include "transports/quic/early_tickets.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace transports::quic {
namespace {

using Use = EarlyTickets::Use;

TEST(Rfc8446_8_1, ATicketIsUsedOnce) {
  EarlyTickets tickets;
  const std::uint64_t one = tickets.issue();
  const std::uint64_t other = tickets.issue();
  EXPECT_NE(one, other);
  EXPECT_EQ(tickets.use(one), Use::first);
  EXPECT_EQ(tickets.use(one), Use::again);
  EXPECT_EQ(tickets.use(other), Use::first);
  EXPECT_EQ(tickets.use(one), Use::again);
}

TEST(Rfc8446_8_1, ATicketThatWasNeverGivenIsNone) {
  EarlyTickets tickets;
  EXPECT_EQ(tickets.use(0), Use::forgotten);
  EXPECT_EQ(tickets.use(UINT64_MAX), Use::forgotten);
  EXPECT_EQ(tickets.use(tickets.issue() + 1), Use::forgotten);
}

TEST(Rfc8446_8_1, WhatIsForgottenIsNotTakenAgain) {
  EarlyTickets tickets;
  const std::uint64_t used = tickets.issue();
  const std::uint64_t unused = tickets.issue();
  EXPECT_EQ(tickets.use(used), Use::first);
  for (std::uint64_t n = 2; n < EarlyTickets::remembered; ++n) static_cast<void>(tickets.issue());
  EXPECT_EQ(tickets.use(used), Use::again);
  const std::uint64_t in_its_place = tickets.issue();
  EXPECT_EQ(tickets.use(used), Use::forgotten);
  EXPECT_EQ(tickets.use(in_its_place), Use::first);
  EXPECT_EQ(tickets.use(unused), Use::first);
}

TEST(Rfc9001_9_2, OneOfAllWorkersTakesIt) {
  EarlyTickets tickets;
  constexpr int rounds = 1000;
  std::vector<std::uint64_t> given(rounds);
  for (std::uint64_t& each : given) each = tickets.issue();
  std::atomic<int> taken = 0;
  {
    std::vector<std::jthread> workers;
    for (int n = 0; n < 3; ++n) {
      workers.emplace_back([&] {
        for (const std::uint64_t each : given) taken += tickets.use(each) == Use::first ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(taken, rounds);
}

}  // namespace
}  // namespace transports::quic
