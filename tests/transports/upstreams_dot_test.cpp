// DoT's promises: nobody unproven hears a query. RFC 7858 §3.1, §4.2; RFC 8310 §5.1, §8.1, §9; RFC
// 8446 resumption.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/support/fake_upstream.h"
#include "tests/support/upstream_loop.h"
#include "transports/upstreams/upstreams.h"

namespace {

using namespace std::chrono_literals;
using namespace test_support;
using conf::Protocol;

using Answer = base::Result<dns::KeptAnswer>;

class DotUpstreamTest : public ::testing::Test {
 protected:
  conf::Upstream settings(const FakeUpstream& fake) {
    conf::Upstream upstream;
    upstream.url = "tls://192.0.2.53#dns.test";
    upstream.protocol = Protocol::dot;
    upstream.endpoint = fake.endpoint(Protocol::dot);
    upstream.tls_name = "dns.test";
    upstream.ca_file = authority_file_.path();
    return upstream;
  }

  Answer ask_once_over(const conf::Upstream& settings) {
    auto upstream = make_upstream(settings, loop_.context());
    if (!upstream) throw std::runtime_error(upstream.error());
    Answer answer = loop_.run((*upstream)->exchange(ask_for("www.example.com"), in(2s)));
    loop_.run((*upstream)->close(in(0s)));
    return answer;
  }

  /// Never connected, and no octet of a query was sent, over TLS or in the clear.
  void expect_refused(const KeyedCertificate& identity, const KeyedCertificate* issuer = nullptr,
                      const std::string& tls_name = "dns.test") {
    FakeUpstream fake(answering(), {.identity = &identity, .issuer = issuer});
    conf::Upstream strict = settings(fake);
    strict.tls_name = tls_name;
    const Answer answer = ask_once_over(strict);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().blame, base::Blame::upstream);
    EXPECT_EQ(answer.error().retry, base::Retry::other_upstream);
    EXPECT_TRUE(answer.error().context.starts_with("tls://192.0.2.53#dns.test: certificate: "))
        << answer.error().context;
    EXPECT_EQ(fake.received().size(), 0U);
    EXPECT_EQ(loop_.total("sallyport_upstream_connections_total", {{"result", "certificate"}}), 1);
    EXPECT_EQ(loop_.total("sallyport_upstream_connections_total", {{"result", "ok"}}), 0);
  }

  KeyedCertificate authority_ = make_certificate({.common_name = "authority", .authority = true});
  KeyedCertificate stranger_ = make_certificate({.common_name = "stranger", .authority = true});
  TemporaryFile authority_file_{authority_.certificate_pem()};
  UpstreamLoop loop_;
};

TEST_F(DotUpstreamTest, Rfc8310_8_1_NameInSan) {
  const KeyedCertificate identity =
      make_certificate({.dns_names = {"other.test", "dns.test"}}, &authority_);
  FakeUpstream fake(answering(), {.identity = &identity});
  const Answer answer = ask_once_over(settings(fake));
  EXPECT_TRUE(answer) << answer.error().context;
}

TEST_F(DotUpstreamTest, Rfc8310_8_1_AddressInSan) {
  const KeyedCertificate identity = make_certificate({.addresses = {"192.0.2.53"}}, &authority_);
  FakeUpstream fake(answering(), {.identity = &identity});
  conf::Upstream by_address = settings(fake);
  by_address.tls_name = "192.0.2.53";
  const Answer answer = ask_once_over(by_address);
  EXPECT_TRUE(answer) << answer.error().context;
}

TEST_F(DotUpstreamTest, Rfc8310_8_1_ExpiredIsRefused) {
  expect_refused(make_certificate(
      {.dns_names = {"dns.test"}, .valid_from = -7200, .valid_until = -3600}, &authority_));
}

TEST_F(DotUpstreamTest, Rfc8310_8_1_NotYetValidIsRefused) {
  expect_refused(make_certificate(
      {.dns_names = {"dns.test"}, .valid_from = 3600, .valid_until = 7200}, &authority_));
}

TEST_F(DotUpstreamTest, Rfc8310_8_1_AnotherNameIsRefused) {
  expect_refused(make_certificate({.dns_names = {"dns.test.example", "xdns.test"}}, &authority_));
}

TEST_F(DotUpstreamTest, Rfc8310_8_1_AnotherAddressIsRefused) {
  expect_refused(make_certificate({.addresses = {"192.0.2.54"}}, &authority_), nullptr,
                 "192.0.2.53");
}

TEST_F(DotUpstreamTest, Rfc8310_8_1_NameInCommonNameAloneIsRefused) {
  expect_refused(make_certificate({.common_name = "dns.test"}, &authority_));
}

TEST_F(DotUpstreamTest, Rfc8310_8_1_SelfSignedIsRefused) {
  expect_refused(make_certificate({.dns_names = {"dns.test"}}));
}

TEST_F(DotUpstreamTest, Rfc8310_8_1_UnknownAuthorityIsRefused) {
  expect_refused(make_certificate({.dns_names = {"dns.test"}}, &stranger_), &stranger_);
}

TEST_F(DotUpstreamTest, Rfc8310_8_1_IssuerThatIsNoAuthorityIsRefused) {
  const KeyedCertificate leaf =
      make_certificate({.common_name = "leaf", .dns_names = {"leaf.test"}}, &authority_);
  expect_refused(make_certificate({.dns_names = {"dns.test"}}, &leaf), &leaf);
}

TEST_F(DotUpstreamTest, Rfc8310_9_Tls11IsRefused) {
  const KeyedCertificate identity = make_certificate({.dns_names = {"dns.test"}}, &authority_);
  FakeUpstream fake(answering(), {.old_tls = true, .identity = &identity});
  const Answer answer = ask_once_over(settings(fake));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().retry, base::Retry::other_upstream);
  EXPECT_EQ(fake.received().size(), 0U);
}

TEST_F(DotUpstreamTest, Rfc8310_5_1_NoFallbackToCleartext) {
  // A plain TCP server on the port: whatever arrives there is recorded as it came.
  FakeUpstream fake(answering());
  conf::Upstream strict = settings(fake);
  strict.endpoint = fake.endpoint(Protocol::tcp);
  strict.timeout = 200ms;
  ASSERT_FALSE(ask_once_over(strict));
  for (const Received& octets : fake.received()) EXPECT_FALSE(octets.sound);
}

TEST_F(DotUpstreamTest, Rfc7858_4_2_PinOfTheLeaf) {
  const KeyedCertificate identity = make_certificate({.common_name = "nameless"});
  FakeUpstream fake(answering(), {.identity = &identity});
  conf::Upstream pinned = settings(fake);
  pinned.pins = {certs::spki_pin(*identity.certificate)};
  const Answer answer = ask_once_over(pinned);
  EXPECT_TRUE(answer) << answer.error().context;
}

TEST_F(DotUpstreamTest, Rfc7858_4_2_AnotherPinIsRefused) {
  const KeyedCertificate identity = make_certificate({.dns_names = {"dns.test"}}, &authority_);
  FakeUpstream fake(answering(), {.identity = &identity});
  conf::Upstream pinned = settings(fake);
  pinned.pins = {certs::spki_pin(*stranger_.certificate)};
  const Answer answer = ask_once_over(pinned);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().context.find(": certificate: "), std::string::npos)
      << answer.error().context;
  EXPECT_EQ(fake.received().size(), 0U);
}

TEST_F(DotUpstreamTest, Rfc8446_2_2_SessionsAreResumed) {
  const KeyedCertificate identity = make_certificate({.dns_names = {"dns.test"}}, &authority_);
  FakeUpstream fake(answering(), {.identity = &identity});
  auto upstream = make_upstream(settings(fake), loop_.context());
  ASSERT_TRUE(upstream) << upstream.error();
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(loop_.run((*upstream)->exchange(ask_for("www.example.com"), in(2s))));
    fake.close_connections();
  }
  EXPECT_EQ(fake.connections(), 4U);
  EXPECT_EQ(fake.resumptions(), 3U);
  EXPECT_EQ(loop_.total("sallyport_upstream_connections_total", {{"resumed", "true"}}), 3);
}

TEST_F(DotUpstreamTest, AHandshakeThatHangsIsLeftInTime) {
  const KeyedCertificate identity = make_certificate({.dns_names = {"dns.test"}}, &authority_);
  FakeUpstream fake(answering(), {.tls_hangs = true, .identity = &identity});
  conf::Upstream hasty = settings(fake);
  hasty.timeout = 200ms;
  const Answer answer = ask_once_over(hasty);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().retry, base::Retry::other_upstream);
}

TEST_F(DotUpstreamTest, WithoutNameOrPinThereIsNoUpstream) {
  conf::Upstream nameless;
  nameless.url = "tls://192.0.2.53";
  nameless.protocol = Protocol::dot;
  nameless.endpoint = {base::Address::v4({192, 0, 2, 53}), 853};
  EXPECT_FALSE(make_upstream(nameless, loop_.context()));
}

}  // namespace
