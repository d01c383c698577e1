// A Do53 upstream against a fake one, for the tests of how it asks and of what it learns.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string_view>

#include "tests/support/fake_upstream.h"
#include "tests/support/upstream_loop.h"
#include "transports/upstreams/plain.h"

namespace test_support {

class PlainFixture : public ::testing::Test {
 protected:
  conf::Upstream settings(const FakeUpstream& fake) {
    conf::Upstream upstream;
    upstream.url = "udp://fake";
    upstream.protocol = conf::Protocol::udp;
    upstream.endpoint = fake.endpoint(conf::Protocol::udp);
    upstream.timeout = std::chrono::milliseconds{400};
    return upstream;
  }

  base::Result<dns::KeptAnswer> exchange(
      transports::PlainUpstream& upstream, std::string_view name = "www.example.com",
      std::chrono::milliseconds deadline = std::chrono::milliseconds{2000}) {
    return loop_.run(upstream.exchange(ask_for(name), in(deadline)));
  }

  UpstreamLoop loop_;
};

/// A lie before the truth: the wait goes on, over UDP, and the truth is taken.
inline void expect_lie_ignored(UpstreamLoop& loop, conf::Upstream settings, FakeUpstream& fake) {
  transports::PlainUpstream upstream(settings, loop.context());
  const auto answer =
      loop.run(upstream.exchange(ask_for("www.example.com"), in(std::chrono::seconds{2})));
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(last_octet(*answer), 1);
  EXPECT_EQ(fake.count(conf::Protocol::udp), 1U);
  EXPECT_EQ(fake.count(conf::Protocol::tcp), 0U);
  EXPECT_GE(loop.total("sallyport_upstream_mismatched_replies_total"), 1);
}

}  // namespace test_support
