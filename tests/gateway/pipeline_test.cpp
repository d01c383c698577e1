// The life of a query through the real pipeline, cache, flights and home; the upstream does as it is told.
#include "gateway/pipeline.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "dns/compose.h"
#include "gateway/admin/metrics_table.h"
#include "tests/support/told_upstream.h"

namespace gateway {
namespace {

using std::chrono::seconds;
using test_support::silence;
using test_support::Told;
using test_support::ToldUpstream;
using transports::Source;

dns::Question question_of(const std::string& name, dns::RrType type = dns::RrType::a) {
  dns::Question question;
  question.name = dns::Name::from_text(name).value();
  question.type = type;
  return question;
}

/// A response with one A record, or with an SOA in the authority section when the rcode is NXDOMAIN.
dns::KeptAnswer response(const dns::Question& question, std::uint32_t ttl, dns::Rcode rcode = dns::Rcode::noerror) {
  std::vector<std::uint8_t> wire(512);
  base::Writer out{wire};
  const bool positive = rcode == dns::Rcode::noerror;
  const bool negative = rcode == dns::Rcode::nxdomain;
  out.u16(0);
  out.u16(static_cast<std::uint16_t>(dns::flag::qr | dns::flag::ra | static_cast<std::uint16_t>(rcode)));
  for (const bool count : {true, positive, negative, false}) out.u16(count ? 1 : 0);
  out.bytes(question.name.view().wire());
  out.u16(static_cast<std::uint16_t>(question.type));
  out.u16(1);
  if (positive || negative) {
    out.u16(0xc00c);
    out.u16(static_cast<std::uint16_t>(positive ? dns::RrType::a : dns::RrType::soa));
    out.u16(1);
    out.u32(ttl);
  }
  if (positive) {
    out.u16(4);
    out.u32(0xc0000201);
  } else if (negative) {
    out.u16(22);
    out.u16(0);  // the root twice: MNAME and RNAME
    for (int i = 0; i < 5; ++i) out.u32(ttl);
  }
  wire.resize(out.size());
  return dns::keep_answer(wire).value();
}

class PipelineTest : public ::testing::Test {
 protected:
  PipelineTest() {
    told.replies.emplace_back(response(question_of("www.example."), 300));
    std::vector<UpstreamSet::Member> members;
    members.push_back({std::make_unique<ToldUpstream>(told), std::chrono::milliseconds{1500}});
    home.replace(std::make_shared<UpstreamSet>(std::move(members), log));
  }

  static conf::Config config() {
    conf::Config config;
    for (const char* allowed : {"127.0.0.0/8", "::1"}) {
      config.server.allow.push_back(base::Prefix::from_text(allowed).value());
    }
    config.server.listen.push_back({conf::Protocol::udp, {}, "udp://127.0.0.1:53"});
    config.upstreams.emplace_back();
    return config;
  }

  static transports::Query query(const dns::Question& question, conf::Protocol protocol = conf::Protocol::udp) {
    transports::Query query;
    std::vector<std::uint8_t> wire(512);
    dns::OutgoingOptions options;
    options.id = 4711;
    wire.resize(dns::compose_query(question, options, wire));
    query.verdict = dns::parse_request(wire, query.request);
    query.protocol = protocol;
    query.client = {base::Address::from_text("127.0.0.1").value(), 4000};
    query.received = base::Clock::now();
    query.deadline = query.received + seconds{4};
    return query;
  }

  std::optional<std::vector<std::uint8_t>> answer_now(const transports::Query& query) {
    const transports::Batch batch{pipeline};
    std::vector<std::uint8_t> memory(4096);
    transports::Reply reply{memory, 0, {}};
    if (!pipeline.answer_now(query, reply)) return std::nullopt;
    summary = reply.summary;
    memory.resize(reply.size);
    return memory;
  }

  std::vector<std::uint8_t> answer(const transports::Query& query) {
    if (auto now = answer_now(query)) return *now;
    std::optional<transports::Answer> given;
    boost::asio::co_spawn(context, pipeline.answer(query),
                          [&given](const std::exception_ptr& error, transports::Answer answer) {
                            if (error) std::rethrow_exception(error);
                            given = std::move(answer);
                          });
    context.restart();
    context.run();
    summary = given.value().summary;
    return given->wire;
  }

  static std::uint16_t flags(const std::vector<std::uint8_t>& wire) { return base::load_u16(&wire.at(2)); }

  base::Log log{{.level = base::LogLevel::off}};
  base::MetricRegistry metrics{admin::metric_families};
  base::Epochs epochs;
  boost::asio::io_context context{1};
  cache::AnswerCache cache{{.budget = 4 << 20, .threads = 1, .seed = {1, 2}}, epochs};
  Snapshots snapshots{epochs, std::make_shared<const Snapshot>(config(), 1)};
  Flights flights;
  base::EpochReader epoch{epochs};
  Mailbox mailbox{context};
  Told told;
  Home home{{context, flights, cache, snapshots, epoch, log}};
  const dns::ServerCookies cookies{dns::CookieSecret{}};
  const std::vector<HomePort> homes{{&home, &mailbox}};
  PipelineCounters counters{metrics.add_sheet(), snapshots.current().config.server.listen};
  Pipeline pipeline{{snapshots, cache, flights, epoch, cookies, homes, mailbox, nullptr}, counters};
  transports::AnswerSummary summary;
};

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
  for (const auto& [verdict, rcode] : {std::pair{dns::Verdict::format_error, 1}, {dns::Verdict::not_implemented, 4}}) {
    malformed.verdict = verdict;
    EXPECT_EQ(flags(answer_now(malformed).value()) & 15, rcode);
  }
}

TEST_F(PipelineTest, ZoneTransfersAreRefused) {
  for (const dns::RrType type : {dns::RrType::axfr, dns::RrType::ixfr}) {
    EXPECT_EQ(flags(answer_now(query(question_of("example.", type), conf::Protocol::tcp)).value()) & 15, 5);
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
  EXPECT_NE(std::string(failed.begin(), failed.end()).find("udp://192.0.2.1: no reply"), std::string::npos);
  EXPECT_TRUE(answer_now(query(question_of("www.example."))));
  EXPECT_EQ(summary.source, Source::failure);
  EXPECT_EQ(told.asked, 1U);
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
  EXPECT_TRUE(answer_now(query(question))) << "the failure is remembered: nobody waits for the upstream again";
  EXPECT_EQ(summary.source, Source::stale);
  EXPECT_EQ(told.asked, 1U);
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

}  // namespace
}  // namespace gateway
