// Asking one server once, for people.
#include "transports/upstreams/ask_once.h"

#include <gtest/gtest.h>

#include <array>

#include "dns/compose.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/upstream_loop.h"

namespace {

using namespace std::chrono_literals;
using namespace test_support;
using conf::Protocol;
using transports::AskOptions;
using transports::Reported;

class AskOnce : public ::testing::Test {
 protected:
  AskOnce() {
    std::array<std::uint8_t, 512> out;
    const std::size_t size =
        dns::compose_query(ask_for("www.example.com").question, {.id = 4711}, out);
    query_.assign(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
  }

  conf::Upstream settings(const FakeUpstream& fake, Protocol protocol) {
    conf::Upstream upstream;
    upstream.url = "server";
    upstream.protocol = protocol;
    upstream.endpoint = fake.endpoint(protocol);
    upstream.tls_name = "dns.test";
    upstream.ca_file = authority_file_.path();
    return upstream;
  }

  base::Result<Reported> ask(const conf::Upstream& upstream, AskOptions options = {},
                             std::chrono::milliseconds time = 2000ms) {
    return loop_.run(transports::ask_once(upstream, query_, in(time), options, loop_.context()));
  }

  Octets query_;
  KeyedCertificate authority_ = make_certificate({.common_name = "authority", .authority = true});
  TemporaryFile authority_file_{authority_.certificate_pem()};
  UpstreamLoop loop_;
};

TEST_F(AskOnce, OverUdpTheReplyComesAsItIs) {
  FakeUpstream fake([](const Received& query) {
    std::vector<Step> steps = send(with_id(answer_to(query, 66), 1));
    steps.push_back(send(answer_to(query)).front());
    return steps;
  });
  const auto report = ask(settings(fake, Protocol::udp));
  ASSERT_TRUE(report) << report.error().context;
  EXPECT_EQ(report->reply, answer_to(fake.received().at(0)));
  EXPECT_EQ(fake.received().at(0).wire, query_);
  EXPECT_EQ(report->ignored, 1U);
  EXPECT_EQ(report->protocol, Protocol::udp);
  EXPECT_FALSE(report->tls);
}

TEST_F(AskOnce, ALostDatagramIsSentAgain) {
  FakeUpstream fake([](const Received& query) {
    return query.number < 2 ? std::vector<Step>{} : send(answer_to(query));
  });
  const auto report = ask(settings(fake, Protocol::udp), {}, 400ms);
  ASSERT_TRUE(report) << report.error().context;
  EXPECT_EQ(report->tries, 3U);
}

TEST_F(AskOnce, TruncationIsFollowedOnlyWhenWanted) {
  FakeUpstream fake([](const Received& query) {
    if (query.protocol == Protocol::tcp) return send(answer_to(query));
    return send(with_flags(empty_answer_to(query, dns::Rcode::noerror), dns::flag::tc));
  });
  const auto followed = ask(settings(fake, Protocol::udp));
  ASSERT_TRUE(followed) << followed.error().context;
  EXPECT_EQ(followed->protocol, Protocol::tcp);
  EXPECT_TRUE(followed->was_truncated);
  const auto left = ask(settings(fake, Protocol::udp), {.follow_truncation = false});
  ASSERT_TRUE(left) << left.error().context;
  EXPECT_EQ(left->protocol, Protocol::udp);
}

TEST_F(AskOnce, OverDotWithTheCertificatesFacts) {
  const KeyedCertificate identity = make_certificate({.common_name = "A name",
                                                      .dns_names = {"dns.test", "*.dns.test"},
                                                      .addresses = {"192.0.2.53", "2001:db8::1"}},
                                                     &authority_);
  FakeUpstream fake(answering(), {.identity = &identity});
  const auto report = ask(settings(fake, Protocol::dot));
  ASSERT_TRUE(report) << report.error().context;
  ASSERT_TRUE(report->tls);
  EXPECT_EQ(report->tls->version, "TLSv1.3");
  EXPECT_EQ(report->tls->group, "X25519MLKEM768");
  EXPECT_TRUE(report->tls->verified);
  EXPECT_FALSE(report->tls->resumed);
  EXPECT_EQ(report->tls->subject, "CN = A name");
  EXPECT_EQ(report->tls->issuer, "CN = authority");
  EXPECT_EQ(report->tls->alternative_names,
            (std::vector<std::string>{"dns.test", "*.dns.test", "192.0.2.53", "2001:db8::1"}));
  EXPECT_EQ(report->tls->pin, certs::spki_pin(*identity.certificate));
  EXPECT_GT(report->tls->not_after, 0);
  EXPECT_GT(report->connect.count(), 0);
  EXPECT_GT(report->handshake.count(), 0);
  EXPECT_GT(report->answer.count(), 0);
}

TEST_F(AskOnce, AnUnverifiedServerIsAskedOnlyWhenWanted) {
  const KeyedCertificate identity = make_certificate({.dns_names = {"other.test"}});
  FakeUpstream fake(answering(), {.identity = &identity});
  const auto strict = ask(settings(fake, Protocol::dot));
  ASSERT_FALSE(strict);
  EXPECT_TRUE(strict.error().context.starts_with("server: certificate: "))
      << strict.error().context;
  EXPECT_EQ(fake.received().size(), 0U);
  const auto report = ask(settings(fake, Protocol::dot), {.verify = false});
  ASSERT_TRUE(report) << report.error().context;
  EXPECT_FALSE(report->tls->verified);
  EXPECT_EQ(report->tls->alternative_names, std::vector<std::string>{"other.test"});
}

TEST_F(AskOnce, OverTcpInPiecesAndWithStrays) {
  FakeUpstream fake([](const Received& query) {
    std::vector<Step> steps = send(with_other_question(answer_to(query, 66)));
    steps.push_back(send(answer_to(query), 5ms).front());
    return steps;
  });
  const auto report = ask(settings(fake, Protocol::tcp));
  ASSERT_TRUE(report) << report.error().context;
  EXPECT_EQ(report->ignored, 1U);
}

TEST_F(AskOnce, TheDeadlineIsKept) {
  const KeyedCertificate identity = make_certificate({.dns_names = {"dns.test"}}, &authority_);
  FakeUpstream fake([](const Received&) { return std::vector<Step>{}; }, {.identity = &identity});
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::dot}) {
    EXPECT_FALSE(ask(settings(fake, protocol), {}, 60ms));  // the loop's own bound is 10 s
  }
}

}  // namespace
