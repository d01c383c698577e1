// PlainUpstream against an upstream that lies: RFC 5452, RFC 9520 §3.1, RFC 1035 §4.2.1.
#include "transports/upstreams/plain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <map>
#include <set>
#include <string>

#include "dns/name.h"
#include "tests/transports/plain_fixture.h"

namespace {

using namespace std::chrono_literals;
using namespace test_support;
using conf::Protocol;
using transports::PlainUpstream;

class Plain : public PlainFixture {};

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

// As a hedge that lost is ended: by Asio's own cancellation, in the middle of the wait.
TEST_F(Plain, ACancelledExchangeGivesItsSocketBack) {
  FakeUpstream fake([](const Received& query) {
    return query.number == 0 ? std::vector<Step>{} : send(answer_to(query));
  });
  PlainUpstream upstream(settings(fake), loop_.context());
  boost::asio::cancellation_signal cancel;
  bool ended = false;
  boost::asio::co_spawn(loop_.loop(), upstream.exchange(ask_for("www.example.com"), in(9s)),
                        boost::asio::bind_cancellation_slot(
                            cancel.slot(), [&ended](const std::exception_ptr& error,
                                                    const base::Result<dns::KeptAnswer>&) {
                              EXPECT_TRUE(error);
                              ended = true;
                            }));
  loop_.run_until([&fake] { return fake.count(Protocol::udp) == 1; });
  cancel.emit(boost::asio::cancellation_type::terminal);
  loop_.run_until([&ended] { return ended; });
  ASSERT_TRUE(exchange(upstream));
  loop_.run(upstream.close(in(9s)));  // nobody is under way: it ends at once
}

// As a race lets go of whoever came second, and as it ends itself.
TEST_F(Plain, WhoLetsGoIsToldNothingAndHoldsUpNobody) {
  struct Curious final : transports::Asker {
    void replied(base::Result<dns::KeptAnswer>) override { ++told; }
    int told = 0;
  };
  FakeUpstream fake([](const Received& query) {
    if (query.protocol == Protocol::tcp) return std::vector<Step>{};
    if (query.number == 0) return std::vector<Step>{};
    if (query.number == 1)  // and so over TCP
      return send(with_flags(empty_answer_to(query, dns::Rcode::noerror), dns::flag::tc));
    return send(answer_to(query));
  });
  conf::Upstream patient = settings(fake);
  patient.timeout = 10s;
  PlainUpstream upstream(patient, loop_.context());
  const auto begin = [&](transports::Asker& asker) {
    upstream.begin(ask_for("www.example.com"), in(9s), asker, loop_.loop().get_executor());
  };
  Curious over_udp;
  begin(over_udp);
  loop_.run_until([&fake] { return fake.count(Protocol::udp) == 1; });
  over_udp.let_go();
  {
    Curious over_tcp;
    begin(over_tcp);
    loop_.run_until([&fake] { return fake.count(Protocol::tcp) == 1; });
    EXPECT_EQ(over_tcp.told, 0);
  }
  ASSERT_TRUE(exchange(upstream));
  EXPECT_EQ(over_udp.told, 0);
  EXPECT_EQ(loop_.total("sallyport_upstream_errors_total", {}), 0);
  loop_.run(upstream.close(in(9s)));  // nobody is under way: it ends at once
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
