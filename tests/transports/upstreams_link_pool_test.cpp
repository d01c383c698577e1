// Links that end, idle, fill up or are cut off, over TCP and over DoT. RFC 7766 §6.2, RFC 7828, RFC
// 7858 §3.4.
#include "transports/upstreams/link_pool.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <filesystem>
#include <optional>

#include "tests/transports/stream_fixture.h"

namespace {

using namespace std::chrono_literals;
using namespace test_support;
using conf::Protocol;

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

class Links : public StreamFixture {};

INSTANTIATE_TEST_SUITE_P(Transports, Links, ::testing::Values(Protocol::tcp, Protocol::dot),
                         [](const auto& info) {
                           return std::string(conf::row_of(info.param).name);
                         });

// ---- links that end

TEST_P(Links, ClosedBeforeTheReplyIsRetriedOnceOnAFreshLink) {
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

TEST_P(Links, ResetIsLikeClosed) {
  const auto server = fake([](const Received& query) {
    if (query.connection == 0) return std::vector<Step>{{Step::Kind::reset, {}, 0ms}};
    return send(answer_to(query));
  });
  const auto upstream = make(settings(*server));
  const Answer answer = exchange(*upstream);
  EXPECT_TRUE(answer) << answer.error().context;
}

TEST_P(Links, ClosedEveryTimeIsAnErrorAfterTheSecondLink) {
  const auto server =
      fake([](const Received&) { return std::vector<Step>{{Step::Kind::close, {}, 0ms}}; });
  const auto upstream = make(settings(*server));
  const Answer answer = exchange(*upstream);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().blame, base::Blame::upstream);
  EXPECT_EQ(answer.error().retry, base::Retry::other_upstream);
  EXPECT_EQ(server->connections(), 2U);
}

TEST_P(Links, ClosedInTheMiddleOfAReplyIsRetried) {
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

TEST_P(Links, ImpossibleLengthEndsTheLink) {
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
TEST_P(Links, ALengthThatLiesRunsIntoTheTimeout) {
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

TEST_P(Links, AMalformedReplyEndsTheLinkAndOnlyItsOwnQuery) {
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

TEST_P(Links, AnIdleLinkThatTheServerClosedIsNotGivenOut) {
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

// The link is there, its peer's system confirms all octets, and nobody says anything.
TEST_P(Links, ASilentLinkCostsItsQueryAFreshOne) {
  const auto server = fake([](const Received& query) {
    return query.connection == 0 ? std::vector<Step>{} : send(answer_to(query));
  });
  const auto upstream = make(settings(*server));
  auto first = begin_exchanges(*upstream, 3);
  finish(first);
  for (const auto& result : first) EXPECT_TRUE(*result) << result->error().context;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(exchange(*upstream));
  EXPECT_EQ(server->connections(), 2U);
  EXPECT_EQ(loop_.total("sallyport_upstream_links_suspected_total"), 1);
  EXPECT_EQ(loop_.total("sallyport_upstream_disconnections_total", {{"reason", "silent"}}), 1);
  EXPECT_EQ(loop_.total("sallyport_upstream_errors_total", {}), 0);
}

// A name that takes long is asked for twice, and its link lives: it was heard in the end.
TEST_P(Links, ASuspectThatSpeaksIsBelievedAgain) {
  const auto server = fake([](const Received& query) {
    if (number_of(query) != 0) return send(answer_to(query));
    return query.connection == 0 ? send(answer_to(query), 250ms) : std::vector<Step>{};
  });
  const auto upstream = make(settings(*server));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(exchange(*upstream, "q1.example"));
  ASSERT_TRUE(exchange(*upstream, "q0.example"));
  EXPECT_EQ(loop_.total("sallyport_upstream_links_suspected_total"), 1);
  ASSERT_TRUE(exchange(*upstream, "q1.example"));
  EXPECT_EQ(loop_.total("sallyport_upstream_disconnections_total", {}), 0);
}

// Whoever lets go of a question before the link is suspected leaves a debt behind.
TEST_P(Links, ALinkThatOwesAnAnswerHasLessTime) {
  const auto server = fake([](const Received& query) {
    return query.connection == 0 && query.number >= 60 ? std::vector<Step>{}
                                                       : send(answer_to(query));
  });
  const auto upstream = make(settings(*server));
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(exchange(*upstream));
  ASSERT_FALSE(exchange(*upstream, "www.example.com", 30ms));
  loop_.run_until([later = base::Clock::now() + 110ms] { return base::Clock::now() > later; });
  const base::TimePoint began = base::Clock::now();
  ASSERT_TRUE(exchange(*upstream));
  EXPECT_GE(base::Clock::now() - began, 50ms);
  EXPECT_EQ(server->connections(), 2U);
  EXPECT_EQ(loop_.total("sallyport_upstream_links_suspected_total"), 1);
}

// Others' queries on a link that proves silent are asked again on a fresh one.
TEST_P(Links, WhoWaitsOnASilentLinkIsRetried) {
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

TEST_P(Links, ASlowQueryDoesNotCondemnALinkThatAnswersOthers) {
  const auto server = fake([](const Received& query) {
    return number_of(query) == 0 ? send(answer_to(query), 500ms) : send(answer_to(query));
  });
  conf::Upstream hasty = settings(*server);
  hasty.timeout = 200ms;
  const auto upstream = make(hasty);
  std::optional<Answer> slow;
  loop_.start(upstream->exchange(ask_for("q0.example"), in(1s)), slow);
  const base::TimePoint patience = base::Clock::now() + 20s;
  while (!slow && base::Clock::now() < patience) ASSERT_TRUE(exchange(*upstream, "q1.example"));
  ASSERT_TRUE(slow);
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
TEST_P(Links, APathThatSwallowsSegmentsIsLeftLongBeforeTheTimeIsUp) {
  const auto server = fake([](const Received& query) {
    std::vector<Step> steps = send(answer_to(query));
    if (query.connection == 0) steps.push_back({Step::Kind::deaf, {}, 20ms});
    return steps;
  });
  conf::Upstream patient = settings(*server);
  patient.timeout = 10s;  // half of it is more than the exchange has
  const auto upstream = make(patient);
  ASSERT_TRUE(exchange(*upstream));
  loop_.run_until([deaf = base::Clock::now() + 100ms] { return base::Clock::now() > deaf; });
  const Answer answer = exchange(*upstream);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(server->connections(), 2U);
}

// Names that take long keep their link, though a fresh one is tried, and though others are asked
// over it meanwhile, whose octets are on their way whenever one looks.
TEST_P(Links, AnUpstreamThatThinksIsNotADeadPath) {
  const auto server = fake([](const Received& query) {
    return send(answer_to(query), number_of(query) == 0 ? 0ms : 800ms);
  });
  conf::Upstream patient = settings(*server);
  patient.timeout = 10s;
  const auto upstream = make(patient);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(exchange(*upstream, "q0.example"));
  std::vector<std::optional<Answer>> slow(40);
  for (auto& each : slow) {
    loop_.start(upstream->exchange(ask_for("q1.example"), in(5s)), each);
    loop_.run_until([next = base::Clock::now() + 10ms] { return base::Clock::now() > next; });
  }
  for (auto& each : slow) {
    loop_.run_until([&each] { return each.has_value(); });
    EXPECT_TRUE(*each);
  }
  EXPECT_LE(server->connections(), 3U);
  EXPECT_EQ(loop_.total("sallyport_upstream_disconnections_total", {}), 0);
}

// ---- idleness

TEST_P(Links, AnIdleLinkIsClosedAfterTheIdleTimeout) {
  const auto server = fake(answering());
  conf::Upstream brief = settings(*server);
  brief.idle_timeout = 100ms;
  const auto upstream = make(brief);
  ASSERT_TRUE(exchange(*upstream));
  loop_.run_until([&] { return server->connections_open() == 0; });
  EXPECT_EQ(loop_.total("sallyport_upstream_disconnections_total", {{"reason", "idle"}}), 1);
  ASSERT_TRUE(exchange(*upstream));
}

TEST_P(Links, Rfc7828_3_2_2_TheServersIdleTimeoutIsKept) {
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

TEST_P(Links, Rfc7828_3_2_2_TimeoutZeroEndsTheLinkAfterItsLastReply) {
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

TEST_P(Links, LinksAreDialledOnDemandAndBounded) {
  const auto server = fake([](const Received& query) { return send(answer_to(query), 50ms); });
  conf::Upstream small = settings(*server);
  small.links = 2;
  small.queries_per_link = 3;
  const auto upstream = make(small);
  auto results = begin_exchanges(*upstream, 40);
  finish(results);
  for (const auto& result : results) EXPECT_TRUE(*result) << result->error().context;
  EXPECT_EQ(loop_.total("sallyport_upstream_errors_total", {}), 0);
  EXPECT_EQ(server->connections(), 2U);
}

TEST_P(Links, WhoWaitsForRoomInVainIsToldInTime) {
  const auto server = fake([](const Received&) { return std::vector<Step>{}; });
  conf::Upstream small = settings(*server);
  small.links = 1;
  small.queries_per_link = 1;
  const auto upstream = make(small);
  auto results = begin_exchanges(*upstream, 2);
  finish(results);
  ASSERT_FALSE(*results[1]);
  EXPECT_EQ(results[1]->error().retry, base::Retry::other_upstream);
  EXPECT_EQ(loop_.total("sallyport_upstream_errors_total", {}), 2);
}

TEST_P(Links, OneQueryAtATimeWhenSoConfigured) {
  const auto server = fake(answering());
  conf::Upstream small = settings(*server);
  small.links = 1;
  small.queries_per_link = 1;
  const auto upstream = make(small);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(exchange(*upstream));
  EXPECT_EQ(server->connections(), 1U);
}

TEST_P(Links, ADeadUpstreamIsDialledRarely) {
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

TEST_P(Links, NobodyListensIsAnErrorAtOnce) {
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

TEST_P(Links, TheDeadlineStandsAboveEverything) {
  const auto server =
      fake([](const Received&) { return std::vector<Step>{}; }, {.tls_hangs = true});
  conf::Upstream patient = settings(*server);
  patient.timeout = 10s;
  const auto upstream = make(patient);
  ASSERT_FALSE(exchange(*upstream, "www.example.com", 80ms));  // the loop's own bound is 10 s
}

// ---- closing

TEST_P(Links, CloseEndsEverythingAndLeaksNothing) {
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
TEST_P(Links, ACancelledExchangeLeavesTheLinkAsItWas) {
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

TEST_P(Links, DestroyedWithoutCloseLeaksNothing) {
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
