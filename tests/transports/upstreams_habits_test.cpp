// What is learnt of a Do53 upstream and remembered: letter case, EDNS, cookies. RFC 6891 §7, RFC
// 7873 §5.3, RFC 9018 §3.
#include "transports/upstreams/habits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "tests/transports/plain_fixture.h"

namespace {

using namespace std::chrono_literals;
using namespace test_support;
using conf::Protocol;
using transports::PlainUpstream;

class Habits : public PlainFixture {};

// ---- 0x20

TEST_F(Habits, LetterCaseIsRandom) {
  FakeUpstream fake(answering());
  PlainUpstream upstream(settings(fake), loop_.context());
  std::set<std::string> seen;
  for (int i = 0; i < 32; ++i) ASSERT_TRUE(exchange(upstream, "abcdefghijklmnop.example"));
  for (const Received& query : fake.received()) seen.insert(query.request.question.name.to_text());
  EXPECT_GE(seen.size(), 31U);  // of 2^23
}

TEST_F(Habits, AReplyInAnotherCaseIsNotBelievedOverUdp) {
  FakeUpstream fake([](const Received& query) {
    if (query.protocol == Protocol::tcp) return send(answer_to(query, 7));
    return send(with_small_letters(answer_to(query, 66)));
  });
  PlainUpstream upstream(settings(fake), loop_.context());
  const auto answer = exchange(upstream, "abcdefghijklmnop.example");
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(last_octet(*answer), 7);
}

TEST_F(Habits, AnUpstreamThatChangesCaseIsRemembered) {
  FakeUpstream fake(
      [](const Received& query) { return send(with_small_letters(answer_to(query))); });
  PlainUpstream upstream(settings(fake), loop_.context());
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(exchange(upstream, "abcdefghijklmnop.example"));
  EXPECT_EQ(fake.count(Protocol::tcp), 3U);  // three in a row, and then no more
  EXPECT_EQ(fake.count(Protocol::udp), 8U);
}

TEST_F(Habits, AnUpstreamThatChangesCaseAndHasNoTcpStillAnswers) {
  FakeUpstream fake(
      [](const Received& query) { return send(with_small_letters(answer_to(query))); },
      {.listen_tcp = false});
  PlainUpstream upstream(settings(fake), loop_.context());
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(exchange(upstream, "abcdefghijklmnop.example"));
  EXPECT_EQ(fake.count(Protocol::udp), 3U * 2 + 3);
}

TEST_F(Habits, CaseIsLeftAloneWhenSwitchedOff) {
  FakeUpstream fake(answering());
  conf::Upstream plain = settings(fake);
  plain.case_randomisation = false;
  PlainUpstream upstream(plain, loop_.context());
  ASSERT_TRUE(exchange(upstream, "abcdefghijklmnop.example"));
  EXPECT_EQ(fake.received().at(0).request.question.name.to_text(), "abcdefghijklmnop.example.");
}

// ---- EDNS

TEST_F(Habits, Rfc6891_7_FormerrWithoutOptIsAskedWithoutEdnsAndRemembered) {
  FakeUpstream fake([](const Received& query) {
    if (query.request.edns.present) return send(bare_answer_to(query, dns::Rcode::formerr));
    return send(answer_to(query));
  });
  PlainUpstream upstream(settings(fake), loop_.context());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(exchange(upstream));
  EXPECT_EQ(fake.count(Protocol::udp), 4U);
}

TEST_F(Habits, Rfc6891_7_FormerrToBothIsAnAnswerAndTeachesNothing) {
  FakeUpstream fake(
      [](const Received& query) { return send(bare_answer_to(query, dns::Rcode::formerr)); });
  PlainUpstream upstream(settings(fake), loop_.context());
  const auto answer = exchange(upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(answer->rcode, dns::Rcode::formerr);
  ASSERT_TRUE(exchange(upstream));
  EXPECT_TRUE(fake.received().at(2).request.edns.present);
}

TEST_F(Habits, Rfc6891_7_FormerrWithOptIsAnAnswer) {
  FakeUpstream fake(
      [](const Received& query) { return send(empty_answer_to(query, dns::Rcode::formerr)); });
  PlainUpstream upstream(settings(fake), loop_.context());
  const auto answer = exchange(upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(answer->rcode, dns::Rcode::formerr);
  EXPECT_EQ(fake.count(Protocol::udp), 1U);
}

// Twelve octets are too easily forged to be believed over UDP.
TEST_F(Habits, AHeaderAloneIsCheckedOverTcp) {
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

TEST_F(Habits, Rfc7873_5_3_TheServersCookieIsSentBack) {
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

TEST_F(Habits, Rfc7873_3_EachUpstreamGetsItsOwnClientCookie) {
  FakeUpstream fake(answering());
  PlainUpstream one(settings(fake), loop_.context());
  PlainUpstream other(settings(fake), loop_.context());
  ASSERT_TRUE(exchange(one));
  ASSERT_TRUE(exchange(other));
  EXPECT_NE(fake.received().at(0).request.edns.cookie, fake.received().at(1).request.edns.cookie);
}

TEST_F(Habits, Rfc7873_5_3_AnotherClientCookieIsDiscarded) {
  FakeUpstream fake([](const Received& query) {
    Received other = query;
    other.request.edns.cookie[3] ^= 1;
    std::vector<Step> steps = send(with_cookie(answer_to(query, 66), other, 1));
    steps.push_back(send(with_cookie(answer_to(query, 1), query, 1), 5ms).front());
    return steps;
  });
  expect_lie_ignored(loop_, settings(fake), fake);
}

TEST_F(Habits, Rfc7873_5_3_AMissingCookieIsCheckedOverTcp) {
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

TEST_F(Habits, Rfc7873_5_3_BadCookieIsAskedAgainWithTheNewOne) {
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

TEST_F(Habits, Rfc7873_5_3_BadCookieTwiceIsAskedOverTcp) {
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

TEST_F(Habits, Rfc9018_3_WithoutCookiesAnUpstreamIsSparedThem) {
  FakeUpstream fake(answering());
  PlainUpstream upstream(settings(fake), loop_.context());
  ASSERT_TRUE(exchange(upstream));
  ASSERT_TRUE(exchange(upstream));
  EXPECT_EQ(fake.received().at(0).request.edns.cookie_size, 8);
  EXPECT_EQ(fake.received().at(1).request.edns.cookie_size, 0);
}

}  // namespace
