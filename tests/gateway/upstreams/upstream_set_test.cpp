// Races, hedges, suspicion and failover, with upstreams that do as they are told.
#include "gateway/upstreams/upstream_set.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "gateway/admin/metrics_table.h"
#include "tests/support/told_upstream.h"

namespace gateway::upstreams {
namespace {

using base::Result;
using dns::KeptAnswer;
using test_support::silence;
using test_support::Told;
using test_support::ToldUpstream;
using namespace std::chrono_literals;

KeptAnswer answer_with(dns::Rcode rcode) {
  KeptAnswer answer;
  answer.rcode = rcode;
  answer.wire.assign(dns::header_size, 0);
  return answer;
}

Told told(dns::Rcode rcode) {
  Told told;
  told.replies.emplace_back(answer_with(rcode));
  return told;
}

class UpstreamSetTest : public ::testing::Test {
 protected:
  void make_set(conf::Set terms = {}, std::shared_ptr<transports::KnownHost> host = nullptr) {
    std::vector<Entrant> entrants;
    entrants.push_back({.upstream = std::make_unique<ToldUpstream>(first, "udp://192.0.2.1"),
                        .timeout = 1500ms,
                        .host = std::move(host)});
    entrants.push_back(
        {.upstream = std::make_unique<ToldUpstream>(second, "udp://192.0.2.2"), .timeout = 1500ms});
    set = std::make_shared<UpstreamSet>(
        std::move(terms), std::move(entrants),
        SetContext{context.get_executor(), timers, random, metrics.add_sheet(), log});
  }
  Result<KeptAnswer> resolve(Trace* trace = nullptr) {
    std::optional<Result<KeptAnswer>> reply;
    boost::asio::co_spawn(context, set->resolve({}, base::Clock::now() + 4s, trace),
                          [&reply](const std::exception_ptr&, Result<KeptAnswer> given) {
                            reply = std::move(given);
                          });
    context.restart();
    while (!reply && context.run_one() != 0) {
    }
    return std::move(reply).value();
  }
  /// So that the paces are known.
  void warm_up() {
    for (unsigned i = 0; i < 100; ++i) resolve();
  }
  [[nodiscard]] double total(std::string_view family) const { return metrics.total(family); }

  base::Log log{{.level = base::LogLevel::off}};
  base::MetricRegistry metrics{admin::metric_families};
  boost::asio::io_context context{1};
  transports::TimerWheel timers{context, SetContext::tick};
  transports::Random random;
  Told first = told(dns::Rcode::noerror);
  Told second = told(dns::Rcode::nxdomain);
  std::shared_ptr<UpstreamSet> set;
};

TEST_F(UpstreamSetTest, TheFirstIsAskedAloneWhileItAnswers) {
  make_set();
  EXPECT_EQ(resolve()->rcode, dns::Rcode::noerror);
  EXPECT_EQ(second.asked, 0U);
}

TEST_F(UpstreamSetTest, TheSecondIsAskedWhenTheFirstFails) {
  first.replies = {silence()};
  make_set();
  EXPECT_EQ(resolve()->rcode, dns::Rcode::nxdomain);
  EXPECT_EQ(first.asked, 1U);
}

TEST_F(UpstreamSetTest, AnRcodeThatIsNoAnswerIsKeptInCaseNobodyKnowsBetter) {
  first.replies = {answer_with(dns::Rcode::refused)};
  make_set();
  EXPECT_EQ(resolve()->rcode, dns::Rcode::nxdomain);
  second.replies = {silence()};
  const auto reply = resolve();
  EXPECT_EQ(reply->rcode, dns::Rcode::refused);
  EXPECT_EQ(reply->ede_text, "udp://192.0.2.1: REFUSED");
}

TEST_F(UpstreamSetTest, Rfc8914_4_7_AVerdictAboutTheNameIsNotTakenElsewhere) {
  auto bogus = answer_with(dns::Rcode::servfail);
  bogus.has_ede = true;
  for (const dns::Ede code : {dns::Ede::dnssec_bogus, dns::Ede::blocked}) {
    bogus.ede = code;
    first.replies = {bogus};
    make_set();
    const auto reply = resolve();
    EXPECT_EQ(reply->rcode, dns::Rcode::servfail);
    EXPECT_EQ(reply->ede, code);
    EXPECT_EQ(second.asked, 0U);
  }
}

TEST_F(UpstreamSetTest, WhoSaysServfailWhereOthersKnowIsPassedOver) {
  first.replies = {answer_with(dns::Rcode::servfail)};
  make_set();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(resolve()->rcode, dns::Rcode::nxdomain);
  EXPECT_EQ(first.asked, Health::failures_before_rest);
}

TEST_F(UpstreamSetTest, WhenAllSaySoItIsTheName) {
  first.replies = second.replies = {answer_with(dns::Rcode::servfail)};
  make_set();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(resolve()->rcode, dns::Rcode::servfail);
  EXPECT_EQ(set->states()[0].standing, Standing::well);
}

TEST_F(UpstreamSetTest, TheErrorNamesTheLastUpstreamThatFailed) {
  first.replies = second.replies = {silence()};
  make_set();
  const auto reply = resolve();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().context, "udp://192.0.2.1: no reply");
}

TEST_F(UpstreamSetTest, OneThatKeepsFailingRests) {
  first.replies = {silence()};
  make_set();
  for (int i = 0; i < 10; ++i) resolve();
  EXPECT_EQ(first.asked, Health::failures_before_rest);
  EXPECT_EQ(set->states()[0].standing, Standing::resting);
  EXPECT_EQ(total("sallyport_upstream_rests_total"), 1);
  const auto standing = [this](std::string_view url, std::string_view what) {
    return metrics.total("sallyport_upstream_standing",
                         {{"upstream", std::string{url}}, {"standing", std::string{what}}});
  };
  EXPECT_EQ(standing("udp://192.0.2.1", "resting"), 1);
  EXPECT_EQ(standing("udp://192.0.2.1", "well"), 0);
  EXPECT_EQ(standing("udp://192.0.2.2", "well"), 1);
  set.reset();
  EXPECT_EQ(total("sallyport_upstream_standing"), 0);
}

TEST_F(UpstreamSetTest, WhenAllRestTheyAreAskedAllTheSame) {
  first.replies = second.replies = {silence()};
  make_set();
  for (int i = 0; i < 4; ++i) resolve();
  const unsigned before = first.asked + second.asked;
  EXPECT_FALSE(resolve());
  EXPECT_EQ(first.asked + second.asked, before + 2);
}

TEST_F(UpstreamSetTest, AProbeEndsTheRest) {
  first.replies = {silence()};
  make_set();
  for (int i = 0; i < 5; ++i) resolve();
  first.replies = {answer_with(dns::Rcode::refused)};
  first.asked = 0;
  context.restart();
  context.run_for(Health::rest_least + 200ms);
  EXPECT_EQ(first.asked, 1U);
  EXPECT_TRUE(first.ask->question.name.view().is_root());
  EXPECT_EQ(first.ask->question.type, dns::RrType::ns);
  EXPECT_EQ(set->states()[0].standing, Standing::well) << "whoever refuses is there";
}

TEST_F(UpstreamSetTest, WhoAnswersNothingButProbesIsPassedOver) {
  conf::Set terms;
  terms.hedge = 0;  // hedges would win before anything can be suspected
  make_set(terms);
  warm_up();
  unsigned unanswered = 0;
  first.script = [&](transports::Ask ask,
                     base::TimePoint deadline) -> transports::Awaitable<Result<KeptAnswer>> {
    if (ask.question.type == dns::RrType::ns) co_return answer_with(dns::Rcode::noerror);
    ++unanswered;
    co_await test_support::wait_until(deadline);
    co_return silence();
  };
  for (int i = 0; i < 8; ++i) EXPECT_EQ(resolve()->rcode, dns::Rcode::nxdomain);
  EXPECT_EQ(unanswered, Health::failures_before_rest);
  EXPECT_EQ(set->states()[0].standing, Standing::resting);
  context.restart();
  context.run_for(Health::rest_least + 200ms);
  EXPECT_EQ(set->states()[0].standing, Standing::well) << "it answers probes";
  for (int i = 0; i < 4; ++i) EXPECT_EQ(resolve()->rcode, dns::Rcode::nxdomain);
  EXPECT_EQ(unanswered, Health::failures_before_rest + 1) << "it has one chance";
}

TEST_F(UpstreamSetTest, SilenceIsAnsweredByWhoRests) {
  make_set();
  warm_up();
  set->drain("udp://192.0.2.1", true);
  second.replies = {silence()};
  for (unsigned i = 0; i < Health::failures_before_rest; ++i) resolve();
  ASSERT_EQ(set->states()[1].standing, Standing::resting);
  set->drain("udp://192.0.2.1", false);
  second.replies = {answer_with(dns::Rcode::nxdomain)};
  first.delay = 5s;
  Trace trace;
  EXPECT_EQ(resolve(&trace)->rcode, dns::Rcode::nxdomain);
  ASSERT_EQ(trace.tries.size(), 2U);
  EXPECT_EQ(trace.tries[1].why, Why::silence);
}

TEST_F(UpstreamSetTest, ARestEndsWhenItsHostIsFound) {
  const auto host = std::make_shared<transports::KnownHost>("nobody was asked", [] {});
  first.replies = {silence()};
  make_set({}, host);
  for (int i = 0; i < 5; ++i) resolve();
  ASSERT_EQ(set->states()[0].standing, Standing::resting);
  first.replies = {answer_with(dns::Rcode::noerror)};
  first.asked = 0;
  context.restart();
  context.poll();
  EXPECT_EQ(first.asked, 0U);
  std::jthread{[&] { host->tell({*base::Address::from_text("192.0.2.1")}); }}.join();
  context.poll();
  EXPECT_EQ(first.asked, 1U) << "it is probed at once";
  EXPECT_EQ(set->states()[0].standing, Standing::well);
  host->tell({*base::Address::from_text("192.0.2.2")});
  context.poll();
  EXPECT_EQ(first.asked, 1U) << "who is well need not prove it";
  set.reset();
  host->tell({*base::Address::from_text("192.0.2.3")});
  context.poll();
}

TEST_F(UpstreamSetTest, ASlowTryIsHedgedAndTheLoserLetGo) {
  make_set();
  warm_up();
  first.delay = 5s;
  Trace trace;
  EXPECT_EQ(resolve(&trace)->rcode, dns::Rcode::nxdomain);
  EXPECT_EQ(second.asked, 1U);
  EXPECT_EQ(total("sallyport_upstream_hedges_total"), 1);
  EXPECT_EQ(total("sallyport_upstream_hedges_won_total"), 1);
  context.poll();
  EXPECT_EQ(first.let_go, 1U);
  ASSERT_EQ(trace.tries.size(), 2U);
  EXPECT_EQ(trace.tries[1].why, Why::hedge);
  EXPECT_LT(trace.tries[1].began, 1s);
}

TEST_F(UpstreamSetTest, WithoutABudgetItTakesASuspicion) {
  conf::Set terms;
  terms.hedge = 0;
  make_set(terms);
  warm_up();
  first.delay = 5s;
  Trace trace;
  EXPECT_EQ(resolve(&trace)->rcode, dns::Rcode::nxdomain);
  ASSERT_EQ(trace.tries.size(), 2U);
  EXPECT_EQ(trace.tries[1].why, Why::silence);
  EXPECT_GE(trace.tries[1].began, transports::Pace::patience_least);
  EXPECT_EQ(set->states()[0].standing, Standing::suspected);
  EXPECT_EQ(first.asked, 102U) << "the probe came at once";
  // Nobody else pays while the suspicion lasts.
  for (int i = 0; i < 5; ++i) resolve();
  EXPECT_EQ(first.asked, 102U);
}

TEST_F(UpstreamSetTest, HedgesAreAShareOfTheQueries) {
  make_set();
  warm_up();
  unsigned hedged = 0;
  for (unsigned i = 0; i < 200; ++i) {
    first.delay = i % 10 == 0 ? 40ms : 0ms;  // twice the share
    const double before = total("sallyport_upstream_hedges_total");
    resolve();
    if (total("sallyport_upstream_hedges_total") > before) ++hedged;
  }
  EXPECT_LE(hedged, 200 * 5 / 100 + 5U);
  EXPECT_GE(hedged, 5U);
}

TEST_F(UpstreamSetTest, Race2AsksTwoAtOnce) {
  conf::Set terms;
  terms.strategy = conf::Strategy::race2;
  make_set(terms);
  first.delay = 50ms;
  EXPECT_EQ(resolve()->rcode, dns::Rcode::nxdomain);
  EXPECT_EQ(first.asked, 1U);
  EXPECT_EQ(second.asked, 1U);
  context.run_for(100ms);
  EXPECT_EQ(first.let_go, 0U) << "its answer tells how fast it is";
}

TEST_F(UpstreamSetTest, WhoLosesRacesBecauseItIsDeadRests) {
  conf::Set terms;
  terms.strategy = conf::Strategy::race2;
  make_set(terms);
  first.replies = {silence()};
  first.delay = 20ms;
  for (unsigned i = 0; i < Health::failures_before_rest; ++i) {
    EXPECT_EQ(resolve()->rcode, dns::Rcode::nxdomain);
    context.restart();
    context.run_for(50ms);
  }
  EXPECT_EQ(set->states()[0].standing, Standing::resting);
}

TEST_F(UpstreamSetTest, TheDrainedIsNeitherRacedNorHedgedWith) {
  conf::Set terms;
  terms.strategy = conf::Strategy::race2;
  make_set(terms);
  set->drain("udp://192.0.2.2", true);
  warm_up();
  first.delay = 50ms;  // slow enough for a hedge, and not for a suspicion
  EXPECT_EQ(resolve()->rcode, dns::Rcode::noerror);
  EXPECT_EQ(second.asked, 0U);
}

TEST_F(UpstreamSetTest, TheDrainedIsAskedWhenNobodyElseAnswers) {
  make_set();
  EXPECT_FALSE(set->drain("udp://192.0.2.9", true));
  EXPECT_TRUE(set->drain("udp://192.0.2.1", true));
  EXPECT_EQ(resolve()->rcode, dns::Rcode::nxdomain);
  EXPECT_EQ(first.asked, 0U);
  second.replies = {silence()};
  EXPECT_EQ(resolve()->rcode, dns::Rcode::noerror);
}

TEST_F(UpstreamSetTest, IsProbedAsOftenAsTheConfigurationSays) {
  conf::Set terms;
  terms.probe_name = dns::Name::from_text("probe.example.").value();
  terms.probe_every = 1s;
  make_set(terms);
  set->begin_probing();
  context.run_for(2500ms);
  EXPECT_EQ(first.asked, 2U);
  EXPECT_EQ(first.ask->question.type, dns::RrType::a);
}

}  // namespace
}  // namespace gateway::upstreams
