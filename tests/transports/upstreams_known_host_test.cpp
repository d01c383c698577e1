// Waiting for a host's address, on one loop, while another thread finds it.
#include "transports/upstreams/known_host.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "tests/support/upstream_loop.h"

namespace transports {
namespace {

using namespace std::chrono_literals;
using Places = std::vector<base::Endpoint>;

const KnownHost::Addresses first{*base::Address::from_text("192.0.2.1"),
                                 *base::Address::from_text("2001:db8::1")};

class KnownHostTest : public testing::Test {
 protected:
  void SetUp() override {
    upstream_.host = "dns.example";
    upstream_.endpoint.port = 853;
  }

  test_support::UpstreamLoop loop_;
  conf::Upstream upstream_;
  std::size_t unreachable_ = 0;
  std::shared_ptr<KnownHost> host_ =
      std::make_shared<KnownHost>("nobody was asked", [this] { ++unreachable_; });
};

TEST_F(KnownHostTest, WhoWaitsIsWokenByAnotherThread) {
  HostWaiter waiter{loop_.loop().get_executor(), host_};
  std::optional<Places> places;
  loop_.start(waiter.places(upstream_, test_support::in(1h)), places);
  loop_.loop().poll();
  EXPECT_FALSE(places);
  std::jthread{[this] { host_->tell(first); }}.join();
  loop_.run_until([&] { return places.has_value(); });
  EXPECT_EQ(*places, (Places{{first[0], 853}, {first[1], 853}}));
  EXPECT_EQ(places_of(upstream_, host_.get()), *places);
}

TEST_F(KnownHostTest, WhatIsKnownIsReadAtOnce) {
  host_->tell(first);
  HostWaiter waiter{loop_.loop().get_executor(), host_};
  EXPECT_EQ(loop_.run(waiter.places(upstream_, base::TimePoint::min())).size(), 2U);
  waiter.unreachable();
  EXPECT_EQ(unreachable_, 1U);
}

TEST_F(KnownHostTest, WaitingEndsAtItsLimitAndWhenItIsGivenUp) {
  HostWaiter waiter{loop_.loop().get_executor(), host_};
  EXPECT_TRUE(loop_.run(waiter.places(upstream_, test_support::in(5ms))).empty());
  EXPECT_EQ(waiter.ignorance(), "nobody was asked");
  std::optional<Places> places;
  loop_.start(waiter.places(upstream_, test_support::in(1h)), places);
  loop_.loop().poll();
  waiter.give_up();
  loop_.run_until([&] { return places.has_value(); });
  EXPECT_TRUE(places->empty());
}

TEST_F(KnownHostTest, WhoIsGoneIsNotWoken) {
  std::optional<HostWaiter> waiter{std::in_place, loop_.loop().get_executor(), host_};
  waiter.reset();
  EXPECT_TRUE(host_->tell(first));
  EXPECT_EQ(loop_.loop().poll(), 0U);
}

TEST_F(KnownHostTest, ItsVersionIsAnotherWhenItsAddressesAre) {
  EXPECT_EQ(host_->version(), 0U);
  EXPECT_FALSE(host_->tell({})) << "what is known stays";
  EXPECT_EQ(host_->version(), 0U);
  EXPECT_TRUE(host_->tell(first));
  EXPECT_FALSE(host_->tell(first));
  EXPECT_EQ(host_->version(), 1U);
  EXPECT_TRUE(host_->tell({first[1]}));
  EXPECT_EQ(host_->version(), 2U);
}

TEST_F(KnownHostTest, WithoutAHostTheConfigurationSaysWhere) {
  upstream_.bootstrap = {first[0]};
  HostWaiter waiter{loop_.loop().get_executor(), nullptr};
  EXPECT_EQ(loop_.run(waiter.places(upstream_, test_support::in(1h))), (Places{{first[0], 853}}));
  waiter.give_up();
  waiter.unreachable();
}

}  // namespace
}  // namespace transports
