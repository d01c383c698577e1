// Caps on sessions and on queries that wait. RFC 7766 §6.2.2, RFC 9210 §4.2.
#include "transports/session_registry.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "transports/waiting_budget.h"

namespace transports {
namespace {

base::Address address(const char* text) { return *base::Address::from_text(text); }

TEST(SessionRegistry, CountsAllAndEachClient) {
  SessionRegistry registry;
  const auto admit = [&](const char* client) {
    return registry.admit(address(client), conf::Protocol::tcp, 3, 2);
  };
  auto first = admit("192.0.2.1");
  const auto second = admit("192.0.2.1");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(admit("192.0.2.1").error(), SessionRegistry::Refusal::client);
  const auto other = admit("192.0.2.2");
  ASSERT_TRUE(other);
  EXPECT_EQ(admit("192.0.2.3").error(), SessionRegistry::Refusal::all);
  EXPECT_EQ(registry.open(conf::Protocol::tcp), 3U);
  EXPECT_EQ(registry.open(conf::Protocol::dot), 0U);
  EXPECT_TRUE(registry.nearly_full(3));
  EXPECT_FALSE(registry.nearly_full(4));
  first = std::unexpected(SessionRegistry::Refusal::all);
  EXPECT_EQ(registry.open(conf::Protocol::tcp), 2U);
  EXPECT_TRUE(admit("192.0.2.1"));
}

TEST(SessionRegistry, Ipv6ClientsAreCountedByTheir64) {
  SessionRegistry registry;
  const auto one = registry.admit(address("2001:db8:0:1::1"), conf::Protocol::dot, 10, 1);
  EXPECT_TRUE(one);
  EXPECT_FALSE(registry.admit(address("2001:db8:0:1:ffff::9"), conf::Protocol::dot, 10, 1));
  EXPECT_TRUE(registry.admit(address("2001:db8:0:2::1"), conf::Protocol::dot, 10, 1));
}

TEST(SessionRegistry, ManyThreadsNeverPassTheCap) {
  SessionRegistry registry;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&registry] {
      for (int round = 0; round < 2000; ++round) {
        const auto place = registry.admit(address("192.0.2.1"), conf::Protocol::tcp, 3, 3);
        EXPECT_LE(registry.open(conf::Protocol::tcp), 3U);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(registry.open(conf::Protocol::tcp), 0U);
}

TEST(WaitingBudget, PlacesAreGivenBack) {
  WaitingBudget budget(2);
  WaitingPlace one(budget);
  {
    const WaitingPlace two(budget);
    EXPECT_TRUE(one && two);
    EXPECT_FALSE(WaitingPlace(budget));
    EXPECT_EQ(budget.taken(), 2U);
  }
  const WaitingPlace moved(std::move(one));
  EXPECT_EQ(budget.taken(), 1U);
  budget.set_most(1);
  EXPECT_FALSE(WaitingPlace(budget));
}

TEST(OctetShare, IsOfTheBudgetOfAllBeyondWhatIsFree) {
  OctetBudget budget;
  budget.set_most(1000);
  {
    OctetShare one(budget);
    EXPECT_TRUE(one.hold(OctetShare::free_octets));
    EXPECT_EQ(budget.taken(), 0U);
    EXPECT_TRUE(one.hold(OctetShare::free_octets + 700));
    OctetShare other(budget);
    EXPECT_FALSE(other.hold(OctetShare::free_octets + 301));
    EXPECT_TRUE(other.hold(OctetShare::free_octets + 300));
    EXPECT_EQ(budget.taken(), 1000U);
    EXPECT_TRUE(one.hold(10));
    EXPECT_EQ(budget.taken(), 300U);
  }
  EXPECT_EQ(budget.taken(), 0U);
}

}  // namespace
}  // namespace transports
