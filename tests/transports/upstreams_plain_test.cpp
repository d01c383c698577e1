// PlainUpstream against an upstream that lies: RFC 5452, 7873, 6891 §7, 9520 §3.1, 1035 §4.2.1, and
// 0x20.
#include "transports/upstreams/plain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "dns/name.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/upstream_loop.h"

namespace {

using namespace std::chrono_literals;
using namespace test_support;
using conf::Protocol;
using transports::PlainUpstream;

class Plain : public ::testing::Test {
 protected:
  conf::Upstream settings(const FakeUpstream& fake) {
    conf::Upstream upstream;
    upstream.url = "udp://fake";
    upstream.protocol = Protocol::udp;
    upstream.endpoint = fake.endpoint(Protocol::udp);
    upstream.timeout = 400ms;
    return upstream;
  }

  base::Result<dns::KeptAnswer> exchange(PlainUpstream& upstream,
                                         std::string_view name = "www.example.com",
                                         std::chrono::milliseconds deadline = 2000ms) {
    return loop_.run(upstream.exchange(ask_for(name), in(deadline)));
  }

  UpstreamLoop loop_;
};

TEST_F(Plain, AnswersWithTheAskedLetterCase) {
  FakeUpstream fake(answering());
  PlainUpstream upstream(settings(fake), loop_.context());
  const auto answer = exchange(upstream, "wWw.ExAmple.com");
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(last_octet(*answer), 1);
  const dns::Name asked = *dns::Name::from_text("wWw.ExAmple.com");
  EXPECT_TRUE(
      std::ranges::equal(asked.view().wire(), base::Bytes{answer->wire}.subspan(12, asked.size())));
  EXPECT_EQ(base::load_u16(answer->wire.data()), 0);
}

TEST_F(Plain, SendsNothingButTheQuestionOfTheClient) {
  FakeUpstream fake(answering());
  PlainUpstream upstream(settings(fake), loop_.context());
  transports::Ask ask = ask_for("www.example.com", dns::RrType::txt);
  ask.dnssec_ok = true;
  ask.checking_disabled = true;
  ASSERT_TRUE(loop_.run(upstream.exchange(ask, in(2s))));
  const Received query = fake.received().at(0);
  ASSERT_TRUE(query.sound);
  EXPECT_EQ(query.request.question, ask.question);
  EXPECT_TRUE(query.request.recursion_desired());
  EXPECT_TRUE(query.request.checking_disabled());
  EXPECT_TRUE(query.request.edns.dnssec_ok);
  EXPECT_EQ(query.request.edns.udp_size, 1232);
  EXPECT_FALSE(query.request.edns.subnet);
  EXPECT_FALSE(query.request.edns.padding);    // RFC 7830 §6: not in the clear
  EXPECT_FALSE(query.request.edns.keepalive);  // RFC 7828 §3.2.1: not over UDP
  EXPECT_EQ(query.request.edns.cookie_size, 8);
  EXPECT_EQ(query.request.edns.unknown_options, 0);
}

/// A lie before the truth: the wait goes on, over UDP, and the truth is taken.
void expect_lie_ignored(UpstreamLoop& loop, conf::Upstream settings, FakeUpstream& fake) {
  PlainUpstream upstream(settings, loop.context());
  const auto answer = loop.run(upstream.exchange(ask_for("www.example.com"), in(2s)));
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(last_octet(*answer), 1);
  EXPECT_EQ(fake.count(Protocol::udp), 1U);
  EXPECT_EQ(fake.count(Protocol::tcp), 0U);
  EXPECT_GE(loop.total("sallyport_upstream_mismatched_replies_total"), 1);
}

Script lie_then_truth(std::function<Octets(const Received&)> lie) {
  return [lie = std::move(lie)](const Received& query) {
    std::vector<Step> steps = send(lie(query));
    steps.push_back(send(answer_to(query), 5ms).front());
    return steps;
  };
}

TEST_F(Plain, Rfc5452_9_1_WrongIdIsIgnored) {
  FakeUpstream fake(lie_then_truth([](const Received& query) {
    return with_id(answer_to(query, 66), static_cast<std::uint16_t>(query.request.id + 1));
  }));
  expect_lie_ignored(loop_, settings(fake), fake);
}

TEST_F(Plain, Rfc5452_9_1_WrongQuestionIsIgnored) {
  FakeUpstream fake(lie_then_truth(
      [](const Received& query) { return with_other_question(answer_to(query, 66)); }));
  expect_lie_ignored(loop_, settings(fake), fake);
}

TEST_F(Plain, Rfc5452_9_1_WrongTypeIsIgnored) {
  FakeUpstream fake(lie_then_truth([](const Received& query) {
    Octets reply = answer_to(query, 66);
    reply[dns::header_size + query.request.question.name.size() + 1] = 28;
    return reply;
  }));
  expect_lie_ignored(loop_, settings(fake), fake);
}

TEST_F(Plain, AQueryInsteadOfAReplyIsIgnored) {
  FakeUpstream fake(lie_then_truth([](const Received& query) { return query.wire; }));
  expect_lie_ignored(loop_, settings(fake), fake);
}

// TuDoor: a malformed reply must not end the wait.
TEST_F(Plain, MalformedRepliesAreIgnored) {
  const std::vector<std::function<Octets(const Received&)>> lies{
      [](const Received&) { return Octets{}; },
      [](const Received& query) { return Octets(query.wire.begin(), query.wire.begin() + 7); },
      [](const Received& query) {
        Octets reply = answer_to(query, 66);
        reply.resize(reply.size() - 3);
        return reply;
      },
      [](const Received& query) {
        Octets reply = answer_to(query, 66);
        reply.push_back(0);
        return reply;
      },
      [](const Received& query) {
        Octets reply = answer_to(query, 66);
        base::store_u16(&reply[6], 0xFFFF);
        return reply;
      },
      [](const Received& query) { return Octets(4200, query.wire[0]); },
  };
  for (const auto& lie : lies) {
    FakeUpstream fake(lie_then_truth(lie));
    expect_lie_ignored(loop_, settings(fake), fake);
  }
}

// A reply from another address or port than the asked one never reaches a connected socket.
TEST_F(Plain, Rfc5452_9_1_OtherSourcePortIsNotHeard) {
  FakeUpstream fake([](const Received&) { return std::vector<Step>{}; });
  conf::Upstream slow = settings(fake);
  PlainUpstream upstream(slow, loop_.context());
  std::optional<base::Result<dns::KeptAnswer>> result;
  loop_.start(upstream.exchange(ask_for("www.example.com"), in(2s)), result);
  loop_.run_until([&fake] { return fake.count(Protocol::udp) == 1; });
  const Received query = fake.received().at(0);
  const int stranger = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_storage to{};
  const unsigned size =
      base::Endpoint{base::Address::v4({127, 0, 0, 1}), query.port}.to_sockaddr(to);
  const Octets forged = answer_to(query, 66);
  ::sendto(stranger, forged.data(), forged.size(), 0, reinterpret_cast<const sockaddr*>(&to), size);
  ::close(stranger);
  loop_.run_until([&result] { return result.has_value(); });
  ASSERT_FALSE(*result);
  EXPECT_EQ(loop_.total("sallyport_upstream_mismatched_replies_total"), 0);
}

// Somebody who sprays guesses is left for a transport where guessing does not help.
TEST_F(Plain, SprayedIdsAreLeftForTcp) {
  FakeUpstream fake([](const Received& query) {
    if (query.protocol == Protocol::tcp) return send(answer_to(query, 7));
    std::vector<Step> steps;
    for (std::uint16_t i = 1; i <= 1000; ++i) {
      steps.push_back(
          send(with_id(answer_to(query, 66), static_cast<std::uint16_t>(query.request.id + i)))
              .front());
    }
    return steps;
  });
  PlainUpstream upstream(settings(fake), loop_.context());
  const auto answer = exchange(upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(last_octet(*answer), 7);
  EXPECT_EQ(fake.count(Protocol::udp), 1U);
  EXPECT_EQ(fake.count(Protocol::tcp), 1U);
}

TEST_F(Plain, Rfc1035_4_2_1_TruncatedIsAskedOverTcp) {
  FakeUpstream fake([](const Received& query) {
    if (query.protocol == Protocol::tcp) return send(answer_to(query, 9));
    return send(with_flags(empty_answer_to(query, dns::Rcode::noerror), dns::flag::tc));
  });
  PlainUpstream upstream(settings(fake), loop_.context());
  for (int i = 0; i < 3; ++i) {
    const auto answer = exchange(upstream);
    ASSERT_TRUE(answer) << answer.error().context;
    EXPECT_EQ(last_octet(*answer), 9);
  }
  EXPECT_EQ(fake.connections(), 1U);  // they share the link
}

TEST_F(Plain, TruncatedWithoutTcpIsAnError) {
  FakeUpstream fake(
      [](const Received& query) { return send(with_flags(answer_to(query), dns::flag::tc)); },
      {.listen_tcp = false});
  PlainUpstream upstream(settings(fake), loop_.context());
  const auto answer = exchange(upstream);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().blame, base::Blame::upstream);
  EXPECT_EQ(answer.error().retry, base::Retry::other_upstream);
}

TEST_F(Plain, TruncatedEvenOverTcpIsAnErrorAndNoLoop) {
  FakeUpstream fake(
      [](const Received& query) { return send(with_flags(answer_to(query), dns::flag::tc)); });
  PlainUpstream upstream(settings(fake), loop_.context());
  ASSERT_FALSE(exchange(upstream));
  EXPECT_EQ(fake.count(Protocol::tcp), 1U);
  EXPECT_EQ(loop_.total("sallyport_upstream_errors_total", {{"reason", "truncated"}}), 1);
}

TEST_F(Plain, AnyRcodeIsAReply) {
  for (const dns::Rcode rcode :
       {dns::Rcode::servfail, dns::Rcode::refused, dns::Rcode::nxdomain, dns::Rcode::yxdomain}) {
    FakeUpstream fake(
        [rcode](const Received& query) { return send(empty_answer_to(query, rcode)); });
    PlainUpstream upstream(settings(fake), loop_.context());
    const auto answer = exchange(upstream);
    ASSERT_TRUE(answer) << answer.error().context;
    EXPECT_EQ(answer->rcode, rcode);
  }
}

TEST_F(Plain, Rfc9520_3_1_AtMostThreeTriesAndTheDeadlineIsKept) {
  FakeUpstream fake([](const Received&) { return std::vector<Step>{}; });
  PlainUpstream upstream(settings(fake), loop_.context());
  const base::TimePoint began = base::Clock::now();
  const auto answer = exchange(upstream);
  const auto took = base::Clock::now() - began;
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().retry, base::Retry::other_upstream);
  EXPECT_GE(took, 390ms);
  const std::vector<Received> tries = fake.received();
  ASSERT_EQ(tries.size(), 3U);
  for (const Received& each : tries)
    EXPECT_EQ(each.wire, tries[0].wire);  // the same octets: one id to guess
  EXPECT_EQ(loop_.total("sallyport_upstream_errors_total", {{"reason", "timeout"}}), 1);
  EXPECT_EQ(loop_.total("sallyport_upstream_retries_total"), 2);
}

TEST_F(Plain, TheDeadlineStandsAboveTheTimeout) {
  FakeUpstream fake([](const Received&) { return std::vector<Step>{}; });
  conf::Upstream patient = settings(fake);
  patient.timeout = 10s;
  PlainUpstream upstream(patient, loop_.context());
  ASSERT_FALSE(exchange(upstream, "www.example.com", 60ms));  // the loop's own bound is 10 s
}

TEST_F(Plain, ALostDatagramIsSentAgain) {
  FakeUpstream fake([](const Received& query) {
    return query.number == 0 ? std::vector<Step>{} : send(answer_to(query));
  });
  PlainUpstream upstream(settings(fake), loop_.context());
  ASSERT_TRUE(exchange(upstream));
  EXPECT_EQ(fake.count(Protocol::udp), 2U);
}

TEST_F(Plain, PortUnreachableIsAnErrorAtOnce) {
  conf::Upstream nobody;
  {
    FakeUpstream fake(answering());
    nobody = settings(fake);
  }
  nobody.timeout = 10s;
  PlainUpstream upstream(nobody, loop_.context());
  const auto answer = exchange(upstream, "www.example.com", 9s);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().blame, base::Blame::upstream);
  EXPECT_EQ(answer.error().retry, base::Retry::other_upstream);
  EXPECT_EQ(loop_.total("sallyport_upstream_errors_total", {{"reason", "refused"}}), 1);
}

// ---- 0x20

TEST_F(Plain, LetterCaseIsRandom) {
  FakeUpstream fake(answering());
  PlainUpstream upstream(settings(fake), loop_.context());
  std::set<std::string> seen;
  for (int i = 0; i < 32; ++i) ASSERT_TRUE(exchange(upstream, "abcdefghijklmnop.example"));
  for (const Received& query : fake.received()) seen.insert(query.request.question.name.to_text());
  EXPECT_GE(seen.size(), 31U);  // of 2^23
}

TEST_F(Plain, AReplyInAnotherCaseIsNotBelievedOverUdp) {
  FakeUpstream fake([](const Received& query) {
    if (query.protocol == Protocol::tcp) return send(answer_to(query, 7));
    return send(with_small_letters(answer_to(query, 66)));
  });
  PlainUpstream upstream(settings(fake), loop_.context());
  const auto answer = exchange(upstream, "abcdefghijklmnop.example");
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(last_octet(*answer), 7);
}

TEST_F(Plain, AnUpstreamThatChangesCaseIsRemembered) {
  FakeUpstream fake(
      [](const Received& query) { return send(with_small_letters(answer_to(query))); });
  PlainUpstream upstream(settings(fake), loop_.context());
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(exchange(upstream, "abcdefghijklmnop.example"));
  EXPECT_EQ(fake.count(Protocol::tcp), 3U);  // three in a row, and then no more
  EXPECT_EQ(fake.count(Protocol::udp), 8U);
}

TEST_F(Plain, AnUpstreamThatChangesCaseAndHasNoTcpStillAnswers) {
  FakeUpstream fake(
      [](const Received& query) { return send(with_small_letters(answer_to(query))); },
      {.listen_tcp = false});
  PlainUpstream upstream(settings(fake), loop_.context());
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(exchange(upstream, "abcdefghijklmnop.example"));
  EXPECT_EQ(fake.count(Protocol::udp), 3U * 2 + 3);
}

TEST_F(Plain, CaseIsLeftAloneWhenSwitchedOff) {
  FakeUpstream fake(answering());
  conf::Upstream plain = settings(fake);
  plain.case_randomisation = false;
  PlainUpstream upstream(plain, loop_.context());
  ASSERT_TRUE(exchange(upstream, "abcdefghijklmnop.example"));
  EXPECT_EQ(fake.received().at(0).request.question.name.to_text(), "abcdefghijklmnop.example.");
}

// ---- EDNS

TEST_F(Plain, Rfc6891_7_FormerrWithoutOptIsAskedWithoutEdnsAndRemembered) {
  FakeUpstream fake([](const Received& query) {
    if (query.request.edns.present) return send(bare_answer_to(query, dns::Rcode::formerr));
    return send(answer_to(query));
  });
  PlainUpstream upstream(settings(fake), loop_.context());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(exchange(upstream));
  EXPECT_EQ(fake.count(Protocol::udp), 4U);
}

TEST_F(Plain, Rfc6891_7_FormerrToBothIsAnAnswerAndTeachesNothing) {
  FakeUpstream fake(
      [](const Received& query) { return send(bare_answer_to(query, dns::Rcode::formerr)); });
  PlainUpstream upstream(settings(fake), loop_.context());
  const auto answer = exchange(upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(answer->rcode, dns::Rcode::formerr);
  ASSERT_TRUE(exchange(upstream));
  EXPECT_TRUE(fake.received().at(2).request.edns.present);
}

TEST_F(Plain, Rfc6891_7_FormerrWithOptIsAnAnswer) {
  FakeUpstream fake(
      [](const Received& query) { return send(empty_answer_to(query, dns::Rcode::formerr)); });
  PlainUpstream upstream(settings(fake), loop_.context());
  const auto answer = exchange(upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(answer->rcode, dns::Rcode::formerr);
  EXPECT_EQ(fake.count(Protocol::udp), 1U);
}

// Twelve octets are too easily forged to be believed over UDP.
TEST_F(Plain, AHeaderAloneIsCheckedOverTcp) {
  FakeUpstream fake([](const Received& query) {
    if (query.protocol == Protocol::tcp) return send(answer_to(query, 7));
    Octets header = bare_answer_to(query, dns::Rcode::servfail);
    header.resize(dns::header_size);
    base::store_u16(&header[4], 0);
    return send(header);
  });
  PlainUpstream upstream(settings(fake), loop_.context());
  const auto answer = exchange(upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(last_octet(*answer), 7);
}

// ---- cookies

Octets with_cookie(Octets reply, const Received& query, std::uint8_t server_octet) {
  Octets cookie(query.request.edns.cookie.begin(), query.request.edns.cookie.begin() + 8);
  cookie.resize(16, server_octet);
  return with_option(std::move(reply), dns::EdnsOption::cookie, cookie);
}

TEST_F(Plain, Rfc7873_5_3_TheServersCookieIsSentBack) {
  FakeUpstream fake(
      [](const Received& query) { return send(with_cookie(answer_to(query), query, 0xAB)); });
  PlainUpstream upstream(settings(fake), loop_.context());
  ASSERT_TRUE(exchange(upstream));
  ASSERT_TRUE(exchange(upstream));
  const Received second = fake.received().at(1);
  ASSERT_EQ(second.request.edns.cookie_size, 16);
  EXPECT_EQ(second.request.edns.cookie[15], 0xAB);
  EXPECT_TRUE(std::equal(second.request.edns.cookie.begin(), second.request.edns.cookie.begin() + 8,
                         fake.received().at(0).request.edns.cookie.begin()));
}

TEST_F(Plain, Rfc7873_3_EachUpstreamGetsItsOwnClientCookie) {
  FakeUpstream fake(answering());
  PlainUpstream one(settings(fake), loop_.context());
  PlainUpstream other(settings(fake), loop_.context());
  ASSERT_TRUE(exchange(one));
  ASSERT_TRUE(exchange(other));
  EXPECT_NE(fake.received().at(0).request.edns.cookie, fake.received().at(1).request.edns.cookie);
}

TEST_F(Plain, Rfc7873_5_3_AnotherClientCookieIsDiscarded) {
  FakeUpstream fake([](const Received& query) {
    Received other = query;
    other.request.edns.cookie[3] ^= 1;
    std::vector<Step> steps = send(with_cookie(answer_to(query, 66), other, 1));
    steps.push_back(send(with_cookie(answer_to(query, 1), query, 1), 5ms).front());
    return steps;
  });
  expect_lie_ignored(loop_, settings(fake), fake);
}

TEST_F(Plain, Rfc7873_5_3_AMissingCookieIsCheckedOverTcp) {
  FakeUpstream fake([](const Received& query) {
    if (query.protocol == Protocol::tcp) return send(answer_to(query, 7));
    if (query.request.edns.cookie_size == 8) return send(with_cookie(answer_to(query), query, 1));
    return send(answer_to(query, 66));
  });
  PlainUpstream upstream(settings(fake), loop_.context());
  ASSERT_TRUE(exchange(upstream));
  const auto answer = exchange(upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(last_octet(*answer), 7);
}

TEST_F(Plain, Rfc7873_5_3_BadCookieIsAskedAgainWithTheNewOne) {
  FakeUpstream fake([](const Received& query) {
    if (query.request.edns.cookie_size == 8) {
      return send(with_cookie(empty_answer_to(query, dns::Rcode::badcookie), query, 5));
    }
    return send(with_cookie(answer_to(query), query, 5));
  });
  PlainUpstream upstream(settings(fake), loop_.context());
  ASSERT_TRUE(exchange(upstream));
  EXPECT_EQ(fake.count(Protocol::udp), 2U);
  EXPECT_EQ(fake.count(Protocol::tcp), 0U);
}

TEST_F(Plain, Rfc7873_5_3_BadCookieTwiceIsAskedOverTcp) {
  FakeUpstream fake([](const Received& query) {
    if (query.protocol == Protocol::tcp) return send(answer_to(query, 7));
    return send(with_cookie(empty_answer_to(query, dns::Rcode::badcookie), query, 5));
  });
  PlainUpstream upstream(settings(fake), loop_.context());
  const auto answer = exchange(upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(last_octet(*answer), 7);
  EXPECT_EQ(fake.count(Protocol::udp), 2U);
}

TEST_F(Plain, Rfc9018_3_WithoutCookiesAnUpstreamIsSparedThem) {
  FakeUpstream fake(answering());
  PlainUpstream upstream(settings(fake), loop_.context());
  ASSERT_TRUE(exchange(upstream));
  ASSERT_TRUE(exchange(upstream));
  EXPECT_EQ(fake.received().at(0).request.edns.cookie_size, 8);
  EXPECT_EQ(fake.received().at(1).request.edns.cookie_size, 0);
}

// ---- unpredictability

TEST_F(Plain, Rfc5452_9_2_PortsAndIdsDiffer) {
  FakeUpstream fake(answering());
  PlainUpstream upstream(settings(fake), loop_.context());
  constexpr int queries = 1000;
  for (int i = 0; i < queries; ++i) ASSERT_TRUE(exchange(upstream));
  std::set<std::uint16_t> ports;
  std::set<std::uint16_t> ids;
  std::map<int, int> ports_by_sixteenth;
  int low = 65535;
  int high = 0;
  for (const Received& query : fake.received()) {
    ports.insert(query.port);
    ids.insert(query.request.id);
    low = std::min<int>(low, query.port);
    high = std::max<int>(high, query.port);
  }
  // 28,232 ephemeral ports: 1,000 draws give about 982 different ones; 65,536 ids: about 992.
  EXPECT_GE(ports.size(), 940U);
  EXPECT_GE(ids.size(), 960U);
  // No runs: successive ports lie as far apart as chance puts them.
  for (const std::uint16_t port : ports) ++ports_by_sixteenth[(port - low) * 16 / (high - low + 1)];
  double chi_square = 0;
  const double expected = static_cast<double>(ports.size()) / 16;
  for (int i = 0; i < 16; ++i) {
    const double off = ports_by_sixteenth[i] - expected;
    chi_square += off * off / expected;
  }
  EXPECT_LT(chi_square, 45);  // 15 degrees of freedom: beyond it by chance once in 10,000 runs
  int near = 0;
  const std::vector<Received> queries_seen = fake.received();
  for (std::size_t i = 1; i < queries_seen.size(); ++i) {
    if (std::abs(queries_seen[i].port - queries_seen[i - 1].port) <= 16) ++near;
  }
  EXPECT_LT(near, 20);  // expected about 1.2
}

// ---- closing

TEST_F(Plain, CloseEndsWhatIsUnderWayAndRefusesWhatComes) {
  FakeUpstream fake([](const Received&) { return std::vector<Step>{}; });
  conf::Upstream patient = settings(fake);
  patient.timeout = 10s;
  PlainUpstream upstream(patient, loop_.context());
  std::optional<base::Result<dns::KeptAnswer>> result;
  loop_.start(upstream.exchange(ask_for("www.example.com"), in(10s)), result);
  loop_.run_until([&fake] { return fake.count(Protocol::udp) == 1; });
  loop_.run(upstream.close(in(50ms)));
  loop_.run_until([&result] { return result.has_value(); });
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().blame, base::Blame::us);
  EXPECT_FALSE(exchange(upstream));
}

TEST_F(Plain, CloseLetsWhatIsUnderWayEnd) {
  FakeUpstream fake([](const Received& query) { return send(answer_to(query), 50ms); });
  PlainUpstream upstream(settings(fake), loop_.context());
  std::optional<base::Result<dns::KeptAnswer>> result;
  loop_.start(upstream.exchange(ask_for("www.example.com"), in(2s)), result);
  loop_.run_until([&fake] { return fake.count(Protocol::udp) == 1; });
  loop_.run(upstream.close(in(2s)));
  loop_.run_until([&result] { return result.has_value(); });
  EXPECT_TRUE(*result);
}

}  // namespace
