// The life of a query through the real pipeline, cache, flights and home; the upstream does as it
// is told.
#include "gateway/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/pipeline_fixture.h"

namespace gateway {
namespace {

using test_support::PipelineTest;
using test_support::question_of;
using test_support::response;
using test_support::silence;
using transports::Source;

TEST_F(PipelineTest, AMissIsAskedOnceAndThenAnsweredFromTheCache) {
  const auto first = answer(query(question_of("www.example.")));
  EXPECT_EQ(summary.source, Source::upstream);
  EXPECT_EQ(base::load_u16(&first[0]), 4711);
  EXPECT_EQ(told.asked, 1U);
  const auto second = answer_now(query(question_of("WWW.eXample.")));
  ASSERT_TRUE(second);
  EXPECT_EQ(summary.source, Source::cache);
  EXPECT_EQ((*second)[13], 'W') << "the letter case is the client's (RFC 4343 §3)";
  EXPECT_EQ(told.asked, 1U);
}

TEST_F(PipelineTest, WhoMayNotAskIsRefused) {
  transports::Query stranger = query(question_of("www.example."));
  stranger.client.address = base::Address::from_text("192.0.2.9").value();
  const auto refused = answer_now(stranger);
  ASSERT_TRUE(refused);
  EXPECT_EQ(flags(*refused) & 15, 5);
  EXPECT_EQ(summary.source, Source::policy);
}

TEST_F(PipelineTest, AMalformedQueryGetsTheRcodeOfItsVerdict) {
  transports::Query malformed = query(question_of("www.example."));
  for (const auto& [verdict, rcode] :
       {std::pair{dns::Verdict::format_error, 1}, {dns::Verdict::not_implemented, 4}}) {
    malformed.verdict = verdict;
    EXPECT_EQ(flags(answer_now(malformed).value()) & 15, rcode);
  }
}

TEST_F(PipelineTest, ZoneTransfersAreRefused) {
  for (const dns::RrType type : {dns::RrType::axfr, dns::RrType::ixfr}) {
    EXPECT_EQ(
        flags(answer_now(query(question_of("example.", type), conf::Protocol::tcp)).value()) & 15,
        5);
  }
}

TEST_F(PipelineTest, Rfc8482_AnyOverUdpIsTruncatedAndOverTcpForwarded) {
  const dns::Question any = question_of("example.", dns::RrType::any);
  EXPECT_NE(flags(answer_now(query(any)).value()) & dns::flag::tc, 0);
  EXPECT_FALSE(answer_now(query(any, conf::Protocol::tcp)));
}

TEST_F(PipelineTest, SpecialNamesNeverGoUpstream) {
  answer(query(question_of("localhost.")));
  EXPECT_EQ(summary.source, Source::local);
  answer(query(question_of("a.test.")));
  EXPECT_EQ(summary.rcode, dns::Rcode::nxdomain);
  EXPECT_EQ(told.asked, 0U);
}

TEST_F(PipelineTest, Rfc9520_3_2_AFailureIsRememberedAndNamesTheUpstream) {
  told.replies = {silence()};
  const auto failed = answer(query(question_of("www.example.")));
  EXPECT_EQ(flags(failed) & 15, 2);
  EXPECT_NE(std::string(failed.begin(), failed.end()).find("udp://192.0.2.1: no reply"),
            std::string::npos);
  EXPECT_TRUE(answer_now(query(question_of("www.example."))));
  EXPECT_EQ(summary.source, Source::failure);
  EXPECT_EQ(told.asked, 1U);
}

TEST_F(PipelineTest, AShortageOfOursIsNotRememberedAsTheNamesFailure) {
  told.replies = {
      std::unexpected{base::Error{base::Blame::us, base::Retry::never, "too many open files"}}};
  answer(query(question_of("www.example.")));
  EXPECT_EQ(summary.rcode, dns::Rcode::servfail);
  told.replies = {response(question_of("www.example."), 300)};
  answer(query(question_of("www.example.")));
  EXPECT_EQ(summary.rcode, dns::Rcode::noerror);
  EXPECT_EQ(told.asked, 2U);
}

/// A reload has closed the links under a flight.
TEST_F(PipelineTest, WhoseUpstreamsWereReplacedAsksTheNewOnesWhileThereIsTime) {
  test_support::Told next;
  next.replies = {response(question_of("www.example."), 300)};
  told.script = [&](transports::Ask,
                    base::TimePoint) -> transports::Awaitable<base::Result<dns::KeptAnswer>> {
    home.replace(sets_with(next));
    co_return silence();
  };
  answer(query(question_of("www.example.")));
  EXPECT_EQ(summary.rcode, dns::Rcode::noerror);
  EXPECT_EQ(next.asked, 1U);
}

TEST_F(PipelineTest, WhoseTimeIsOverAfterAReloadIsToldWhatWentWrong) {
  test_support::Told next;
  told.script =
      [&](transports::Ask,
          base::TimePoint deadline) -> transports::Awaitable<base::Result<dns::KeptAnswer>> {
    home.replace(sets_with(next));
    co_await test_support::wait_until(deadline);
    co_return silence();
  };
  transports::Query short_of_time = query(question_of("www.example."));
  short_of_time.deadline = short_of_time.received + std::chrono::milliseconds{60};
  const auto failed = answer(short_of_time);
  EXPECT_EQ(summary.rcode, dns::Rcode::servfail);
  EXPECT_NE(std::string(failed.begin(), failed.end()).find("udp://192.0.2.1: no reply"),
            std::string::npos);
  EXPECT_EQ(next.asked, 0U);
}

TEST_F(PipelineTest, Rfc8767_4_StaleDataIsServedWhenTheUpstreamFails) {
  const dns::Question question = question_of("www.example.");
  const cache::Key key = cache.key_of(question, false, false);
  const base::Seconds32 now = base::seconds_of(base::Clock::now());
  cache.insert(key, response(question, 10).view(), {true, 10, 3600, false}, now - 60);
  told.replies = {silence()};
  const auto stale = answer(query(question));
  EXPECT_EQ(summary.source, Source::stale);
  EXPECT_EQ(flags(stale) & 15, 0);
  EXPECT_EQ(summary.least_ttl, 30U);
  EXPECT_TRUE(answer_now(query(question)))
      << "the failure is remembered: nobody waits for the upstream again";
  EXPECT_EQ(summary.source, Source::stale);
  EXPECT_EQ(told.asked, 1U);
}

TEST_F(PipelineTest, Rfc8484_5_1_WhatIsNotThereIsKeptNoLongerThanItsSoaSays) {
  const dns::Question question = question_of("nothing.example.");
  dns::KeptAnswer nxdomain = response(question, 300, dns::Rcode::nxdomain);
  base::store_u32(&nxdomain.wire[nxdomain.wire.size() - 4], 5);
  told.replies = {nxdomain};
  answer(query(question));
  EXPECT_EQ(summary.least_ttl, 5U);
  EXPECT_TRUE(answer_now(query(question)));
  EXPECT_LE(summary.least_ttl, 5U);
  const base::Seconds32 now = base::seconds_of(base::Clock::now());
  cache.insert(cache.key_of(question, false, false), nxdomain.view(), {true, 5, 3600, false},
               now - 60);
  told.replies = {silence()};
  answer(query(question));
  EXPECT_EQ(summary.source, Source::stale);
  EXPECT_EQ(summary.least_ttl, 5U);
}

TEST_F(PipelineTest, Rfc2308_5_WithoutAnSoaNothingSaysHowLongItIsNotThere) {
  dns::KeptAnswer alias = response(question_of("www.example."), 300);
  alias.rcode = dns::Rcode::nxdomain;  // at the end of the chain
  alias.wire[3] |= 3;
  told.replies = {alias};
  answer(query(question_of("www.example.")));
  EXPECT_EQ(summary.rcode, dns::Rcode::nxdomain);
  EXPECT_EQ(summary.least_ttl, 0U);
}

TEST_F(PipelineTest, Rfc8020_2_AnNxdomainHoldsForEverythingBelow) {
  told.replies = {response(question_of("nothing.example."), 300, dns::Rcode::nxdomain)};
  answer(query(question_of("nothing.example.")));
  const auto below = answer(query(question_of("a.b.nothing.example.", dns::RrType::txt)));
  EXPECT_EQ(flags(below) & 15, 3);
  EXPECT_TRUE(dns::keep_answer(below));
  EXPECT_EQ(told.asked, 1U);
}

TEST_F(PipelineTest, Rfc4035_3_2_2_CheckingDisabledIsAnotherAnswer) {
  answer(query(question_of("www.example.")));
  transports::Query disabled = query(question_of("www.example."));
  disabled.request.flags |= dns::flag::cd;
  EXPECT_FALSE(answer_now(disabled));
  answer(disabled);
  EXPECT_TRUE(told.ask->checking_disabled);
}

TEST_F(PipelineTest, ATtlAboveTheMostIsCutForClientsToo) {
  told.replies = {response(question_of("www.example."), 7 * 24 * 3600)};
  answer(query(question_of("www.example.")));
  EXPECT_EQ(summary.least_ttl, 24U * 3600);
}

TEST_F(PipelineTest, OverUdpAnAnswerIsNoLargerThanTheClientTakes) {
  transports::Query plain = query(question_of("www.example."));
  plain.request.edns = {};
  const auto short_answer = answer(plain);
  EXPECT_LE(short_answer.size(), dns::plain_udp_size);
  EXPECT_EQ(base::load_u16(&short_answer[10]), 0) << "no EDNS in, none out (RFC 6891 §7)";
}

TEST_F(PipelineTest, AReloadedConfigurationHoldsFromTheNextBatchOn) {
  conf::Config closed = config();
  closed.server.allow.clear();
  snapshots.publish(std::make_shared<const Snapshot>(std::move(closed), 1));
  EXPECT_EQ(flags(answer_now(query(question_of("www.example."))).value()) & 15, 5);
}

TEST_F(PipelineTest, Rfc9018_4_3_AGoodCookieComesBackAndABadOneIsReplaced) {
  transports::Query asked = query(question_of("www.example."));
  answer(asked);
  dns::Edns& edns = asked.request.edns;
  edns.present = true;
  const auto given_back = [&] {
    const std::vector<std::uint8_t> wire = answer(asked);
    return std::vector<std::uint8_t>(wire.end() - 16, wire.end());
  };
  edns.cookie.fill(7);
  edns.cookie_size = 8;
  const std::vector<std::uint8_t> good = given_back();
  std::ranges::copy(good, edns.cookie.begin() + 8);
  edns.cookie_size = 24;
  EXPECT_EQ(given_back(), good);
  edns.cookie[23] ^= 1;
  EXPECT_EQ(base::load_u32(given_back().data()), 0x01000000U) << "one of ours";
  EXPECT_EQ(metrics.total("sallyport_cookies_total", {{"state", "none"}}), 1);
  EXPECT_EQ(metrics.total("sallyport_cookies_total", {{"state", "good"}}), 1);
  EXPECT_EQ(metrics.total("sallyport_cookies_total", {{"state", "bad"}}), 1);
}

}  // namespace
}  // namespace gateway
