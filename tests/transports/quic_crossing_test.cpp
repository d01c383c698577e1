// Datagrams on their way to another worker: RFC 9000 §5.2, §9.3 where the kernel cannot be steered.
#include "transports/quic/crossing.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace transports::quic {
namespace {

CarriedDatagram datagram(std::size_t size, std::uint8_t filling = 0) {
  return {.path = {}, .ecn = 1, .octets = std::vector<std::uint8_t>(size, filling)};
}

TEST(Rfc9000_9_3, ABurstComesInOrderByOneCall) {
  boost::asio::io_context io(1);
  Crossing crossing;
  std::vector<std::vector<CarriedDatagram>> bursts;
  const Crossing::Inbox inbox(crossing, 0, 3, io, [&](std::vector<CarriedDatagram> burst) {
    bursts.push_back(std::move(burst));
  });
  std::jthread([&crossing] {
    for (std::uint8_t n = 0; n < 10; ++n) EXPECT_TRUE(crossing.hand_over(0, 3, datagram(100, n)));
  }).join();
  EXPECT_EQ(io.run(), 1U);
  ASSERT_EQ(bursts.size(), 1U);
  ASSERT_EQ(bursts[0].size(), 10U);
  for (std::uint8_t n = 0; n < 10; ++n) EXPECT_EQ(bursts[0][n].octets.front(), n);
}

TEST(Rfc9000_9_3, NobodyIsThereForOthers) {
  boost::asio::io_context io(1);
  Crossing crossing;
  const Crossing::Inbox inbox(crossing, 1, 0, io, [](const auto&) {});
  EXPECT_FALSE(crossing.hand_over(1, 1, datagram(100)));
  EXPECT_FALSE(crossing.hand_over(0, 0, datagram(100)));
}

TEST(Rfc9000_9_3, AWorkerThatIsHeldUpLosesDatagramsAndNoMemory) {
  boost::asio::io_context io(1);
  Crossing crossing;
  std::size_t came = 0;
  const Crossing::Inbox inbox(crossing, 0, 0, io, [&](const auto& burst) { came += burst.size(); });
  constexpr std::size_t size = 1200;
  std::size_t taken = 0;
  for (int n = 0; n < 2000; ++n) taken += crossing.hand_over(0, 0, datagram(size)) ? 1U : 0U;
  EXPECT_EQ(taken, Crossing::octets_max / size);
  io.run();
  EXPECT_EQ(came, taken);
  EXPECT_TRUE(crossing.hand_over(0, 0, datagram(size)));
}

TEST(Rfc9000_9_3, WhatIsUnderWayToAnEndpointThatEndsIsForgotten) {
  boost::asio::io_context io(1);
  Crossing crossing;
  bool called = false;
  std::optional<Crossing::Inbox> inbox;
  inbox.emplace(crossing, 0, 0, io, [&](const auto&) { called = true; });
  EXPECT_TRUE(crossing.hand_over(0, 0, datagram(100)));
  inbox.reset();
  io.run();
  EXPECT_FALSE(called);
  EXPECT_FALSE(crossing.hand_over(0, 0, datagram(100)));
}

}  // namespace
}  // namespace transports::quic
