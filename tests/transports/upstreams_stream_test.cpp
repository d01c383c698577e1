// TCP and DoT upstreams against one that lies, stalls and closes: RFC 7766, RFC 7858, RFC 7828, RFC
// 8467.
#include "transports/upstreams/stream.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "tests/support/fake_upstream.h"
#include "tests/support/upstream_loop.h"

namespace {

using namespace std::chrono_literals;
using namespace test_support;
using conf::Protocol;
using transports::StreamUpstream;

using Answer = base::Result<dns::KeptAnswer>;

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// Every test runs over TCP and over DoT: the links are the same.
class Stream : public ::testing::TestWithParam<Protocol> {
 protected:
  Stream()
      : authority_(make_certificate(
            {.common_name = "authority", .dns_names = {}, .addresses = {}, .authority = true})),
        identity_(make_certificate({.dns_names = {"dns.test"}, .addresses = {}}, &authority_)),
        authority_file_(authority_.certificate_pem()) {}

  static bool encrypted() { return GetParam() == Protocol::dot; }

  std::unique_ptr<FakeUpstream> fake(Script script, FakeUpstream::Options options = {}) {
    options.identity = &identity_;
    return std::make_unique<FakeUpstream>(std::move(script), options);
  }

  conf::Upstream settings(const FakeUpstream& fake) {
    conf::Upstream upstream;
    upstream.url = encrypted() ? "tls://fake#dns.test" : "tcp://fake";
    upstream.protocol = GetParam();
    upstream.endpoint = fake.endpoint(GetParam());
    upstream.tls_name = "dns.test";
    upstream.ca_file = authority_file_.path();
    upstream.timeout = 1000ms;
    return upstream;
  }

  std::unique_ptr<transports::Upstream> make(const conf::Upstream& settings) {
    auto made = make_upstream(settings, loop_.context());
    EXPECT_TRUE(made) << made.error();
    return std::move(*made);
  }

  Answer exchange(transports::Upstream& upstream, std::string_view name = "www.example.com",
                  std::chrono::milliseconds deadline = 4000ms) {
    return loop_.run(upstream.exchange(ask_for(name), in(deadline)));
  }

  /// Begins `count` exchanges in one turn of the loop; names are q0.example to q9.example and so
  /// on.
  std::vector<std::optional<Answer>> begin_exchanges(transports::Upstream& upstream,
                                                     std::size_t count,
                                                     std::chrono::milliseconds deadline = 4000ms) {
    std::vector<std::optional<Answer>> results(count);
    for (std::size_t i = 0; i < count; ++i) {
      loop_.start(upstream.exchange(ask_for("q" + std::to_string(i) + ".example"), in(deadline)),
                  results[i]);
    }
    return results;
  }
  void finish(std::vector<std::optional<Answer>>& results) {
    loop_.run_until([&results] {
      return std::ranges::all_of(results, [](const auto& result) { return result.has_value(); });
    });
  }

  KeyedCertificate authority_;
  KeyedCertificate identity_;
  TemporaryFile authority_file_;
  UpstreamLoop loop_;
};

INSTANTIATE_TEST_SUITE_P(Transports, Stream, ::testing::Values(Protocol::tcp, Protocol::dot),
                         [](const auto& info) {
                           return std::string(conf::row_of(info.param).name);
                         });

/// The number in "q17.example".
std::uint8_t number_of(const Received& query) {
  return static_cast<std::uint8_t>(std::stoi(query.request.question.name.to_text().substr(1)));
}

TEST_P(Stream, AnswersOverOneLink) {
  const auto server = fake(answering());
  const auto upstream = make(settings(*server));
  for (int i = 0; i < 5; ++i) {
    const Answer answer = exchange(*upstream);
    ASSERT_TRUE(answer) << answer.error().context;
    EXPECT_EQ(last_octet(*answer), 1);
  }
  EXPECT_EQ(server->connections(), 1U);
  EXPECT_EQ(server->count(GetParam()), 5U);
  EXPECT_EQ(loop_.total("sallyport_upstream_connections_total", {{"result", "ok"}}), 1);
  EXPECT_EQ(loop_.total("sallyport_upstream_replies_total", {{"rcode", "NOERROR"}}), 5);
}

TEST_P(Stream, SendsNothingButTheQuestionOfTheClient) {
  const auto server = fake(answering());
  const auto upstream = make(settings(*server));
  ASSERT_TRUE(exchange(*upstream, "WwW.example.com"));
  ASSERT_TRUE(exchange(*upstream));
  const std::vector<Received> queries = server->received();
  EXPECT_EQ(queries[0].request.question.name.to_text(), "WwW.example.com.");
  EXPECT_EQ(queries[0].request.edns.cookie_size, 0);
  EXPECT_FALSE(queries[0].request.edns.subnet);
  EXPECT_TRUE(queries[0].request.edns.keepalive);  // RFC 7828 §3.2.1: the first query
  EXPECT_FALSE(queries[1].request.edns.keepalive);
}

TEST_P(Stream, Rfc8467_4_1_QueriesArePaddedTo128WhenEncrypted) {
  const auto server = fake(answering());
  const auto upstream = make(settings(*server));
  for (const char* name :
       {"a.example", "a-rather-long-name-that-goes-on.for-some-time.and-ends-at-last.example",
        "www.example.com"}) {
    ASSERT_TRUE(exchange(*upstream, name));
  }
  for (const Received& query : server->received()) {
    EXPECT_EQ(query.request.edns.padding, encrypted());  // RFC 7830 §6: never in the clear
    if (encrypted()) EXPECT_EQ(query.wire.size() % 128, 0U);
  }
}

TEST_P(Stream, Rfc7766_6_2_1_1_QueriesAreCoalescedAndPipelined) {
  const auto server =
      fake([](const Received& query) { return send(answer_to(query, number_of(query)), 20ms); });
  const auto upstream = make(settings(*server));
  ASSERT_TRUE(exchange(*upstream, "q0.example"));
  auto results = begin_exchanges(*upstream, 50);
  finish(results);
  for (std::size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(*results[i]) << results[i]->error().context;
    EXPECT_EQ(last_octet(**results[i]), static_cast<int>(i));
  }
  EXPECT_EQ(server->connections(), 1U);
  std::set<std::size_t> writes;
  for (const Received& query : server->received()) {
    if (query.number > 0) writes.insert(query.write);
  }
  EXPECT_EQ(writes.size(), 1U);  // fifty queries of one turn left together
}

TEST_P(Stream, Rfc7766_7_RepliesComeInAnyOrder) {
  auto held = std::make_shared<std::vector<Step>>();
  const auto server = fake([held](const Received& query) {
    held->insert(held->begin(), send(answer_to(query, number_of(query))).front());
    return held->size() == 20 ? *held : std::vector<Step>{};
  });
  const auto upstream = make(settings(*server));
  auto results = begin_exchanges(*upstream, 20);
  finish(results);
  for (std::size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(*results[i]) << results[i]->error().context;
    EXPECT_EQ(last_octet(**results[i]), static_cast<int>(i));
  }
}

TEST_P(Stream, Rfc7766_6_2_1_IdsInFlightAreDistinctAndNotSequential) {
  auto held = std::make_shared<std::vector<Step>>();
  const auto server = fake([held](const Received& query) {
    held->push_back(send(answer_to(query)).front());
    return held->size() == 100 ? *held : std::vector<Step>{};
  });
  const auto upstream = make(settings(*server));
  auto results = begin_exchanges(*upstream, 100);
  finish(results);
  std::set<std::uint16_t> ids;
  int near = 0;
  const std::vector<Received> queries = server->received();
  for (std::size_t i = 0; i < queries.size(); ++i) {
    ids.insert(queries[i].request.id);
    if (i > 0 && std::abs(queries[i].request.id - queries[i - 1].request.id) < 16) ++near;
  }
  EXPECT_EQ(ids.size(), 100U);
  EXPECT_LT(near, 5);
}

TEST_P(Stream, Rfc7766_7_IdAndQuestionMustMatch) {
  const auto server = fake([](const Received& query) {
    std::vector<Step> steps = send(with_other_question(answer_to(query, 66)));
    steps.push_back(
        send(with_id(answer_to(query, 66), static_cast<std::uint16_t>(query.request.id + 1)))
            .front());
    steps.push_back(send(query.wire).front());  // QR is not set
    steps.push_back(send(answer_to(query, 1)).front());
    return steps;
  });
  const auto upstream = make(settings(*server));
  const Answer answer = exchange(*upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(last_octet(*answer), 1);
  EXPECT_EQ(loop_.total("sallyport_upstream_mismatched_replies_total"), 3);
}

TEST_P(Stream, DuplicatesAreIgnored) {
  const auto server = fake([](const Received& query) {
    std::vector<Step> steps = send(answer_to(query));
    steps.push_back(steps.front());
    return steps;
  });
  const auto upstream = make(settings(*server));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(exchange(*upstream));
  EXPECT_EQ(server->connections(), 1U);
}

TEST_P(Stream, ManyStraysEndTheLink) {
  const auto server = fake([](const Received& query) {
    std::vector<Step> steps = send(answer_to(query));
    if (query.connection == 0) {
      for (int i = 0; i < 40; ++i) {
        steps.push_back(
            send(with_id(answer_to(query), static_cast<std::uint16_t>(query.request.id + 1)))
                .front());
      }
    }
    return steps;
  });
  const auto upstream = make(settings(*server));
  ASSERT_TRUE(exchange(*upstream));
  ASSERT_TRUE(exchange(*upstream));
  EXPECT_EQ(server->connections(), 2U);
}

TEST_P(Stream, MessagesInPieces) {
  const auto server = fake([](const Received& query) {
    const Octets reply = answer_to(query);
    Octets framed{static_cast<std::uint8_t>(reply.size() >> 8),
                  static_cast<std::uint8_t>(reply.size())};
    framed.insert(framed.end(), reply.begin(), reply.end());
    std::vector<Step> steps;
    for (const std::uint8_t octet : framed) steps.push_back({Step::Kind::raw, {octet}, 0ms});
    steps[3].after = steps[framed.size() - 1].after = 2ms;
    return steps;
  });
  const auto upstream = make(settings(*server));
  ASSERT_TRUE(exchange(*upstream));
}

// ---- links that end

TEST_P(Stream, ClosedBeforeTheReplyIsRetriedOnceOnAFreshLink) {
  const auto server = fake([](const Received& query) {
    if (query.connection == 0) return std::vector<Step>{{Step::Kind::close, {}, 0ms}};
    return send(answer_to(query, number_of(query)));
  });
  const auto upstream = make(settings(*server));
  auto results = begin_exchanges(*upstream, 10);
  finish(results);
  for (const auto& result : results) EXPECT_TRUE(*result) << result->error().context;
  EXPECT_EQ(server->connections(), 2U);
  EXPECT_EQ(loop_.total("sallyport_upstream_retries_total"), 10);
}

TEST_P(Stream, ResetIsLikeClosed) {
  const auto server = fake([](const Received& query) {
    if (query.connection == 0) return std::vector<Step>{{Step::Kind::reset, {}, 0ms}};
    return send(answer_to(query));
  });
  const auto upstream = make(settings(*server));
  const Answer answer = exchange(*upstream);
  EXPECT_TRUE(answer) << answer.error().context;
}

TEST_P(Stream, ClosedEveryTimeIsAnErrorAfterTheSecondLink) {
  const auto server =
      fake([](const Received&) { return std::vector<Step>{{Step::Kind::close, {}, 0ms}}; });
  const auto upstream = make(settings(*server));
  const Answer answer = exchange(*upstream);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().blame, base::Blame::upstream);
  EXPECT_EQ(answer.error().retry, base::Retry::other_upstream);
  EXPECT_EQ(server->connections(), 2U);
}

TEST_P(Stream, ClosedInTheMiddleOfAReplyIsRetried) {
  const auto server = fake([](const Received& query) {
    if (query.connection == 0) {
      return std::vector<Step>{{Step::Kind::raw, {1, 0, 7, 7, 7}, 0ms},
                               {Step::Kind::close, {}, 0ms}};
    }
    return send(answer_to(query));
  });
  const auto upstream = make(settings(*server));
  const Answer answer = exchange(*upstream);
  EXPECT_TRUE(answer) << answer.error().context;
}

TEST_P(Stream, ImpossibleLengthEndsTheLink) {
  for (const Octets& lie : {Octets{0, 0}, Octets{0, 11, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}) {
    const auto server = fake([&lie](const Received& query) {
      if (query.connection == 0) return std::vector<Step>{{Step::Kind::raw, lie, 0ms}};
      return send(answer_to(query));
    });
    const auto upstream = make(settings(*server));
    const Answer answer = exchange(*upstream);
    EXPECT_TRUE(answer) << answer.error().context;
    EXPECT_EQ(server->connections(), 2U);
  }
}

// A promise of 65,535 octets that is not kept costs the promised nothing, and the asker his time.
TEST_P(Stream, ALengthThatLiesRunsIntoTheTimeout) {
  const auto server = fake([](const Received&) {
    return std::vector<Step>{{Step::Kind::raw, {0xFF, 0xFF, 1, 2, 3}, 0ms}};
  });
  conf::Upstream hasty = settings(*server);
  hasty.timeout = 200ms;
  const auto upstream = make(hasty);
  const Answer answer = exchange(*upstream);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().retry, base::Retry::other_upstream);
}

TEST_P(Stream, AMalformedReplyEndsTheLinkAndOnlyItsOwnQuery) {
  const auto server = fake([](const Received& query) {
    if (query.connection > 0) return send(answer_to(query));
    if (number_of(query) < 4) return std::vector<Step>{};
    Octets reply = answer_to(query);
    reply.resize(reply.size() - 20);
    return send(reply);
  });
  const auto upstream = make(settings(*server));
  auto results = begin_exchanges(*upstream, 5);
  finish(results);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(*results[i]) << results[i]->error().context;
  ASSERT_FALSE(*results[4]);
  EXPECT_EQ(results[4]->error().retry, base::Retry::other_upstream);
  EXPECT_EQ(server->connections(), 2U);
}

TEST_P(Stream, AnIdleLinkThatTheServerClosedIsNotGivenOut) {
  const auto server = fake(answering());
  const auto upstream = make(settings(*server));
  ASSERT_TRUE(exchange(*upstream));
  server->close_connections();  // nothing ran in our loop since: the close has arrived and nobody
                                // has read it
  const Answer answer = exchange(*upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(server->connections(), 2U);
  EXPECT_EQ(server->received().back().connection, 1U);
  EXPECT_EQ(loop_.total("sallyport_upstream_retries_total"),
            0);  // known before the query was lost to it
}

TEST_P(Stream, ASilentLinkIsNotGivenOutAgain) {
  const auto server = fake([](const Received& query) {
    return query.connection == 0 ? std::vector<Step>{} : send(answer_to(query));
  });
  conf::Upstream hasty = settings(*server);
  hasty.timeout = 200ms;
  const auto upstream = make(hasty);
  const base::TimePoint began = base::Clock::now();
  ASSERT_FALSE(exchange(*upstream));
  EXPECT_GE(base::Clock::now() - began, 190ms);
  loop_.run_until(
      [began] { return base::Clock::now() > began + 400ms; });  // the pause after a fruitless link
  ASSERT_TRUE(exchange(*upstream));
  EXPECT_EQ(server->connections(), 2U);
}

// Others' queries on a link that proves silent are asked again on a fresh one.
TEST_P(Stream, WhoWaitsOnASilentLinkIsRetried) {
  const auto server = fake([](const Received& query) {
    if (query.number == 0) return send(answer_to(query));
    return query.connection == 0 ? std::vector<Step>{} : send(answer_to(query));
  });
  const auto upstream = make(settings(*server));
  ASSERT_TRUE(exchange(*upstream));
  loop_.run_until([opened = base::Clock::now()] { return base::Clock::now() > opened + 510ms; });
  std::optional<Answer> first;
  loop_.start(upstream->exchange(ask_for("q0.example"), in(150ms)), first);
  auto others = begin_exchanges(*upstream, 3);
  finish(others);
  EXPECT_FALSE(*first);
  for (const auto& result : others) EXPECT_TRUE(*result) << result->error().context;
  EXPECT_EQ(server->connections(), 2U);
}

TEST_P(Stream, ASlowQueryDoesNotCondemnALinkThatAnswersOthers) {
  const auto server = fake([](const Received& query) {
    return number_of(query) == 0 ? send(answer_to(query), 500ms) : send(answer_to(query));
  });
  conf::Upstream hasty = settings(*server);
  hasty.timeout = 200ms;
  const auto upstream = make(hasty);
  std::optional<Answer> slow;
  loop_.start(upstream->exchange(ask_for("q0.example"), in(1s)), slow);
  for (int i = 0; !slow && i < 10'000; ++i) ASSERT_TRUE(exchange(*upstream, "q1.example"));
  EXPECT_FALSE(*slow);
  ASSERT_TRUE(exchange(*upstream, "q1.example"));
  // Its late reply finds nobody, and is no stray.
  loop_.run_until([late = base::Clock::now() + 400ms] { return base::Clock::now() > late; });
  ASSERT_TRUE(exchange(*upstream, "q1.example"));
  EXPECT_EQ(loop_.total("sallyport_upstream_mismatched_replies_total"), 0);
  EXPECT_EQ(server->connections(), 1U);
}

// A NAT that forgot the connection drops segments without a word: no reply, and no acknowledgement
// either.
TEST_P(Stream, APathThatSwallowsSegmentsIsLeftHalfWay) {
  const auto server = fake([](const Received& query) {
    std::vector<Step> steps = send(answer_to(query));
    if (query.connection == 0) steps.push_back({Step::Kind::deaf, {}, 20ms});
    return steps;
  });
  const auto upstream = make(settings(*server));
  ASSERT_TRUE(exchange(*upstream));
  loop_.run_until([deaf = base::Clock::now() + 100ms] { return base::Clock::now() > deaf; });
  const Answer answer = exchange(*upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(server->connections(), 2U);
}

// ---- idleness

TEST_P(Stream, AnIdleLinkIsClosedAfterTheIdleTimeout) {
  const auto server = fake(answering());
  conf::Upstream brief = settings(*server);
  brief.idle_timeout = 100ms;
  const auto upstream = make(brief);
  ASSERT_TRUE(exchange(*upstream));
  loop_.run_until([&] { return server->connections_open() == 0; });
  EXPECT_EQ(loop_.total("sallyport_upstream_disconnections_total", {{"reason", "idle"}}), 1);
  ASSERT_TRUE(exchange(*upstream));
}

TEST_P(Stream, Rfc7828_3_2_2_TheServersIdleTimeoutIsKept) {
  const auto server = fake([](const Received& query) {
    const std::uint8_t two_hundred_milliseconds[] = {0, 2};
    return send(
        with_option(answer_to(query), dns::EdnsOption::tcp_keepalive, two_hundred_milliseconds));
  });
  const auto upstream = make(settings(*server));  // ours is twenty seconds
  ASSERT_TRUE(exchange(*upstream));
  loop_.run_until([&] { return server->connections_open() == 0; });
  EXPECT_EQ(loop_.total("sallyport_upstream_disconnections_total", {{"reason", "idle"}}), 1);
}

TEST_P(Stream, Rfc7828_3_2_2_TimeoutZeroEndsTheLinkAfterItsLastReply) {
  const auto server = fake([](const Received& query) {
    const std::uint8_t zero[] = {0, 0};
    const auto after = number_of(query) == 1 ? 100ms : 0ms;
    return send(with_option(answer_to(query), dns::EdnsOption::tcp_keepalive, zero), after);
  });
  const auto upstream = make(settings(*server));
  auto results = begin_exchanges(*upstream, 2);
  finish(results);
  for (const auto& result : results) EXPECT_TRUE(*result) << result->error().context;
  EXPECT_EQ(server->connections(), 1U);
  ASSERT_TRUE(exchange(*upstream, "q7.example"));
  EXPECT_EQ(server->connections(), 2U);
}

// ---- limits

TEST_P(Stream, LinksAreDialledOnDemandAndBounded) {
  const auto server = fake([](const Received& query) { return send(answer_to(query), 200ms); });
  conf::Upstream small = settings(*server);
  small.links = 2;
  small.queries_per_link = 3;
  const auto upstream = make(small);
  auto results = begin_exchanges(*upstream, 7);
  finish(results);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_TRUE(*results[i]) << results[i]->error().context;
  ASSERT_FALSE(*results[6]);
  EXPECT_EQ(results[6]->error().retry, base::Retry::other_upstream);
  EXPECT_EQ(loop_.total("sallyport_upstream_errors_total", {{"reason", "busy"}}), 1);
  EXPECT_EQ(server->connections(), 2U);
}

TEST_P(Stream, OneQueryAtATimeWhenSoConfigured) {
  const auto server = fake(answering());
  conf::Upstream small = settings(*server);
  small.links = 1;
  small.queries_per_link = 1;
  const auto upstream = make(small);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(exchange(*upstream));
  EXPECT_EQ(server->connections(), 1U);
}

TEST_P(Stream, ADeadUpstreamIsDialledRarely) {
  const auto server =
      fake([](const Received&) { return std::vector<Step>{{Step::Kind::reset, {}, 0ms}}; });
  const auto upstream = make(settings(*server));
  const base::TimePoint until = base::Clock::now() + 900ms;
  int asked = 0;
  while (base::Clock::now() < until) {
    ASSERT_FALSE(exchange(*upstream));
    ++asked;
  }
  EXPECT_GT(asked, 20);
  EXPECT_LE(server->connections(), 6U);  // two at 0, then at 0.1, 0.3, 0.7 s
}

TEST_P(Stream, NobodyListensIsAnErrorAtOnce) {
  conf::Upstream nobody;
  {
    const auto server = fake(answering());
    nobody = settings(*server);
  }
  nobody.timeout = 10s;
  const auto upstream = make(nobody);
  const Answer answer = exchange(*upstream, "www.example.com", 9s);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().blame, base::Blame::upstream);
  EXPECT_EQ(answer.error().retry, base::Retry::other_upstream);
  EXPECT_EQ(loop_.total("sallyport_upstream_connections_total", {{"result", "refused"}}), 1);
}

TEST_P(Stream, TheDeadlineStandsAboveEverything) {
  const auto server =
      fake([](const Received&) { return std::vector<Step>{}; }, {.tls_hangs = true});
  conf::Upstream patient = settings(*server);
  patient.timeout = 10s;
  const auto upstream = make(patient);
  ASSERT_FALSE(exchange(*upstream, "www.example.com", 80ms));  // the loop's own bound is 10 s
}

// ---- what replies say

TEST_P(Stream, FailuresWithoutTheQuestionAreReplies) {
  const auto server = fake([](const Received& query) {
    Octets header = bare_answer_to(query, dns::Rcode::refused);
    header.resize(dns::header_size);
    base::store_u16(&header[4], 0);
    return send(header);
  });
  const auto upstream = make(settings(*server));
  const Answer answer = exchange(*upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(answer->rcode, dns::Rcode::refused);
  EXPECT_EQ(base::load_u16(&answer->wire[4]), 1);  // the question is put back
}

TEST_P(Stream, Rfc6891_7_FormerrWithoutOptIsAskedWithoutEdnsAndRemembered) {
  const auto server = fake([](const Received& query) {
    if (query.request.edns.present) return send(bare_answer_to(query, dns::Rcode::formerr));
    return send(answer_to(query));
  });
  const auto upstream = make(settings(*server));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(exchange(*upstream));
  EXPECT_EQ(server->count(GetParam()), 4U);
}

TEST_P(Stream, AnswersOfAnySize) {
  const auto server = fake([](const Received& query) {
    Octets reply = answer_to(query);
    const std::size_t opt = reply.size() - 11;
    Octets tail(reply.begin() + static_cast<std::ptrdiff_t>(opt), reply.end());
    reply.resize(opt);
    std::uint16_t records = 1;
    while (reply.size() < 65'000) {
      const std::uint8_t record[] = {0xC0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, 201, 200};
      reply.insert(reply.end(), std::begin(record), std::end(record));
      reply.resize(reply.size() + 200, 'x');
      ++records;
    }
    base::store_u16(&reply[6], records);
    reply.insert(reply.end(), tail.begin(), tail.end());
    return send(reply);
  });
  const auto upstream = make(settings(*server));
  for (int i = 0; i < 3; ++i) {
    const Answer answer = exchange(*upstream);
    ASSERT_TRUE(answer) << answer.error().context;
    EXPECT_GT(answer->wire.size(), 65'000U);
  }
}

// ---- closing

TEST_P(Stream, CloseEndsEverythingAndLeaksNothing) {
  const auto server = fake([](const Received& query) {
    return number_of(query) == 0 ? send(answer_to(query), 30ms) : std::vector<Step>{};
  });
  const auto upstream = make(settings(*server));
  loop_.run_until([] { return true; });
  const std::size_t before = open_descriptors();
  auto results = begin_exchanges(*upstream, 3);
  loop_.run_until([&] { return server->count(GetParam()) == 3; });
  loop_.run(upstream->close(in(100ms)));
  finish(results);
  EXPECT_TRUE(*results[0]);
  EXPECT_FALSE(*results[1]);
  EXPECT_FALSE(exchange(*upstream, "q9.example"));
  loop_.run_until([&] { return server->connections_open() == 0; });
  EXPECT_EQ(open_descriptors(), before);
}

// As a hedge that lost is ended: by Asio's own cancellation, in the middle of the wait.
TEST_P(Stream, ACancelledExchangeLeavesTheLinkAsItWas) {
  const auto server = fake([](const Received& query) {
    return number_of(query) == 0 ? send(answer_to(query), 100ms) : send(answer_to(query));
  });
  const auto upstream = make(settings(*server));
  boost::asio::cancellation_signal cancel;
  bool ended = false;
  boost::asio::co_spawn(
      loop_.loop(), upstream->exchange(ask_for("q0.example"), in(9s)),
      boost::asio::bind_cancellation_slot(cancel.slot(),
                                          [&ended](const std::exception_ptr& error, const Answer&) {
                                            EXPECT_TRUE(error);
                                            ended = true;
                                          }));
  loop_.run_until([&] { return server->count(GetParam()) == 1; });
  cancel.emit(boost::asio::cancellation_type::terminal);
  loop_.run_until([&ended] { return ended; });
  // The late reply comes, and finds nobody.
  loop_.run_until([late = base::Clock::now() + 150ms] { return base::Clock::now() > late; });
  ASSERT_TRUE(exchange(*upstream, "q1.example"));
  EXPECT_EQ(server->connections(), 1U);
  EXPECT_EQ(loop_.total("sallyport_upstream_mismatched_replies_total"), 0);
}

TEST_P(Stream, DestroyedWithoutCloseLeaksNothing) {
  const std::size_t before = open_descriptors();
  {
    const auto server = fake([](const Received&) { return std::vector<Step>{}; });
    UpstreamLoop loop;
    auto upstream = make_upstream(settings(*server), loop.context());
    std::optional<Answer> result;
    loop.start((*upstream)->exchange(ask_for("q0.example"), in(9s)), result);
    loop.run_until([&] { return server->count(GetParam()) == 1; });
    upstream->reset();
  }
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
