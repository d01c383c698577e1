// How long answers are kept. RFC 1035 §3.2.1, RFC 2308 §5, RFC 8767 §4-5, RFC 9520 §3.2.
#include "cache/lifetime.h"

#include <gtest/gtest.h>

#include "tests/cache/replies.h"

namespace cache {
namespace {

using dns::Rcode;
using std::chrono::seconds;
using test::question_of;
using test::Reply;

conf::Cache usual_limits() { return {}; }

Lifetime lifetime_of_reply(const Reply& reply, const conf::Cache& limits = usual_limits()) {
  return lifetime_of(dns::facts_of(reply.kept().view()), limits);
}

TEST(Lifetime, IsTheLeastTtlOfAllRecords) {
  const auto reply = Reply(question_of("www.example.")).alias(300, "a.example.").soa(60, 60);
  const Lifetime lifetime = lifetime_of({.kind = dns::AnswerKind::positive,
                                         .has_ttl = true,
                                         .least_ttl = 60,
                                         .answer_section_empty = false},
                                        {});
  EXPECT_EQ(dns::facts_of(reply.kept().view()).least_ttl, 60U);
  EXPECT_TRUE(lifetime.keep);
  EXPECT_EQ(lifetime.fresh_seconds, 60U);
  EXPECT_EQ(lifetime.stale_seconds, 86400U);
  EXPECT_FALSE(lifetime.failure);
  EXPECT_FALSE(lifetime.cuts_below);
}

TEST(Rfc1035_3_2_1_Lifetime, TtlZeroIsNotKept) {
  EXPECT_FALSE(lifetime_of_reply(Reply(question_of("www.example.")).address(0)).keep);
}

TEST(Lifetime, MinTtlKeepsTtlZero) {
  conf::Cache limits;
  limits.min_ttl = seconds{30};
  const Lifetime lifetime =
      lifetime_of_reply(Reply(question_of("www.example.")).address(0), limits);
  EXPECT_TRUE(lifetime.keep);
  EXPECT_EQ(lifetime.fresh_seconds, 30U);
  EXPECT_EQ(lifetime.least_ttl, 30U) << "the message's TTLs are raised with it";
}

TEST(Lifetime, MaxTtlBindsLifetimeAndMessage) {
  conf::Cache limits;
  limits.max_ttl = seconds{3600};
  const Lifetime lifetime =
      lifetime_of_reply(Reply(question_of("www.example.")).address(90000), limits);
  EXPECT_EQ(lifetime.fresh_seconds, 3600U);
  EXPECT_EQ(lifetime.most_ttl, 3600U);
}

TEST(Lifetime, MaxTtlBelowMinTtlWins) {
  conf::Cache limits;
  limits.min_ttl = seconds{60};
  limits.max_ttl = seconds{10};
  EXPECT_EQ(lifetime_of_reply(Reply(question_of("www.example.")).address(5), limits).fresh_seconds,
            10U);
}

TEST(Lifetime, AnAnswerWithoutRecordsHasNone) {
  EXPECT_FALSE(lifetime_of({.kind = dns::AnswerKind::positive}, {}).keep);
}

TEST(Rfc2308_5_Lifetime, NegativeLifetimeIsTheLesserOfSoaTtlAndMinimum) {
  for (const auto& [ttl, minimum] : {std::pair{300U, 60U}, std::pair{60U, 300U}}) {
    const Lifetime nodata = lifetime_of_reply(Reply(question_of("www.example.")).soa(ttl, minimum));
    EXPECT_TRUE(nodata.keep);
    EXPECT_EQ(nodata.fresh_seconds, 60U);
    EXPECT_EQ(nodata.most_ttl, 60U) << "the SOA is served with no more than the negative lifetime";
    EXPECT_FALSE(nodata.cuts_below);
  }
}

TEST(Rfc2308_5_Lifetime, NegativeLifetimeIsBounded) {
  conf::Cache limits;
  limits.negative_ttl = seconds{900};
  EXPECT_EQ(
      lifetime_of_reply(Reply(question_of("www.example.")).soa(86400, 86400), limits).fresh_seconds,
      900U);
  limits.max_ttl = seconds{20};
  EXPECT_EQ(
      lifetime_of_reply(Reply(question_of("www.example.")).soa(86400, 86400), limits).fresh_seconds,
      20U);
}

TEST(Rfc2308_5_Lifetime, NegativeAnswerWithoutSoaIsNotKept) {
  EXPECT_FALSE(lifetime_of_reply(Reply(question_of("www.example."))).keep);
  EXPECT_FALSE(lifetime_of_reply(Reply(question_of("www.example."), Rcode::nxdomain)).keep);
}

TEST(Rfc2308_5_Lifetime, MinimumZeroIsNotKeptWhateverMinTtlSays) {
  conf::Cache limits;
  limits.min_ttl = seconds{60};
  EXPECT_FALSE(lifetime_of_reply(Reply(question_of("www.example.")).soa(300, 0), limits).keep);
}

TEST(Rfc2308_2_1_Lifetime, AliasToNoNameEndsWithTheAlias) {
  const Lifetime lifetime = lifetime_of_reply(
      Reply(question_of("www.example."), Rcode::nxdomain).alias(10, "gone.example.").soa(300, 300));
  EXPECT_EQ(lifetime.fresh_seconds, 10U);
  EXPECT_FALSE(lifetime.cuts_below) << "the name that was asked for exists";
}

TEST(Rfc8020_2_Lifetime, NxdomainWithoutRecordsCutsBelow) {
  EXPECT_TRUE(lifetime_of_reply(Reply(question_of("no.example."), Rcode::nxdomain).soa(300, 300))
                  .cuts_below);
}

TEST(Rfc9520_3_2_Lifetime, FailuresAreKeptForTheirOwnTimeAndNeverStale) {
  for (const Rcode rcode : {Rcode::servfail, Rcode::refused, Rcode::formerr, Rcode::notimp}) {
    const Lifetime lifetime = lifetime_of_reply(Reply(question_of("www.example."), rcode));
    EXPECT_TRUE(lifetime.keep);
    EXPECT_TRUE(lifetime.failure);
    EXPECT_EQ(lifetime.fresh_seconds, 5U);
    EXPECT_EQ(lifetime.stale_seconds, 0U);
  }
}

TEST(Rfc9520_3_2_Lifetime, FailuresAreKeptForOneSecondToFiveMinutes) {
  conf::Cache limits;
  limits.failure_ttl = seconds{0};
  EXPECT_EQ(lifetime_of_failure(limits).fresh_seconds, 1U);
  limits.failure_ttl = seconds{3600};
  EXPECT_EQ(lifetime_of_failure(limits).fresh_seconds, 300U);
}

TEST(Rfc8767_5_Lifetime, StaleTimeIsTheConfiguredOne) {
  conf::Cache limits;
  limits.stale = seconds{0};
  EXPECT_EQ(lifetime_of_reply(Reply(question_of("www.example.")).address(60), limits).stale_seconds,
            0U);
  limits.stale = seconds{7};
  EXPECT_EQ(lifetime_of_reply(Reply(question_of("www.example.")).soa(60, 60), limits).stale_seconds,
            7U);
}

}  // namespace
}  // namespace cache
