// Order, failover and rest, with upstreams that do as they are told.
#include "gateway/upstream_set.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "tests/support/told_upstream.h"

namespace gateway {
namespace {

using base::Result;
using dns::KeptAnswer;
using test_support::silence;
using test_support::Told;
using test_support::ToldUpstream;

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
  UpstreamSet make_set() {
    std::vector<UpstreamSet::Member> members;
    members.push_back({std::make_unique<ToldUpstream>(first), std::chrono::milliseconds{1500}});
    members.push_back({std::make_unique<ToldUpstream>(second), std::chrono::milliseconds{1500}});
    return {std::move(members), log};
  }
  Result<KeptAnswer> resolve(UpstreamSet& set) {
    std::optional<Result<KeptAnswer>> reply;
    boost::asio::io_context context;
    boost::asio::co_spawn(context, set.resolve({}, base::Clock::now() + std::chrono::seconds{4}),
                          [&reply](const std::exception_ptr&, Result<KeptAnswer> given) {
                            reply = std::move(given);
                          });
    context.run();
    return std::move(reply).value();
  }
  base::Log log{{.level = base::LogLevel::off}};
  Told first = told(dns::Rcode::noerror);
  Told second = told(dns::Rcode::nxdomain);
};

TEST_F(UpstreamSetTest, TheFirstIsAskedAloneWhileItAnswers) {
  UpstreamSet set = make_set();
  EXPECT_EQ(resolve(set)->rcode, dns::Rcode::noerror);
  EXPECT_EQ(second.asked, 0U);
}

TEST_F(UpstreamSetTest, TheSecondIsAskedWhenTheFirstIsSilent) {
  first.replies = {silence()};
  UpstreamSet set = make_set();
  EXPECT_EQ(resolve(set)->rcode, dns::Rcode::nxdomain);
  EXPECT_EQ(first.asked, 1U);
}

TEST_F(UpstreamSetTest, AnRcodeThatIsNoAnswerIsKeptInCaseNobodyKnowsBetter) {
  first.replies = {answer_with(dns::Rcode::refused)};
  UpstreamSet set = make_set();
  EXPECT_EQ(resolve(set)->rcode, dns::Rcode::nxdomain);
  second.replies = {silence()};
  EXPECT_EQ(resolve(set)->rcode, dns::Rcode::refused);
}

TEST_F(UpstreamSetTest, TheErrorNamesTheLastUpstreamThatFailed) {
  first.replies = second.replies = {silence()};
  UpstreamSet set = make_set();
  const auto reply = resolve(set);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().context, "udp://192.0.2.1: no reply");
}

TEST_F(UpstreamSetTest, OneSilentUpstreamLeavesTimeForTheNext) {
  first.replies = {silence()};
  UpstreamSet set = make_set();
  const base::TimePoint before = base::Clock::now();
  resolve(set);
  EXPECT_LE(*first.deadline, before + std::chrono::milliseconds{2100});
}

TEST_F(UpstreamSetTest, OneThatKeepsFailingRestsAndComesBack) {
  first.replies = {silence()};
  UpstreamSet set = make_set();
  for (int i = 0; i < 10; ++i) resolve(set);
  EXPECT_EQ(first.asked, UpstreamHealth::failures_before_rest);
  EXPECT_FALSE(set.states()[0].well);
}

TEST_F(UpstreamSetTest, WhenAllRestTheyAreAskedAllTheSame) {
  first.replies = second.replies = {silence()};
  UpstreamSet set = make_set();
  for (int i = 0; i < 4; ++i) resolve(set);
  const unsigned before = first.asked + second.asked;
  EXPECT_FALSE(resolve(set));
  EXPECT_EQ(first.asked + second.asked, before + 2);
}

TEST(UpstreamHealth, RestGrowsAndIsBounded) {
  UpstreamHealth health;
  base::TimePoint now{std::chrono::hours{1}};
  for (unsigned i = 0; i < UpstreamHealth::failures_before_rest; ++i)
    health.failed(now, "no reply");
  EXPECT_TRUE(health.resting(now));
  EXPECT_FALSE(health.resting(now + std::chrono::seconds{1}));
  for (int i = 0; i < 20; ++i) health.failed(now, "no reply");
  EXPECT_TRUE(health.resting(now + std::chrono::seconds{29}));
  EXPECT_FALSE(health.resting(now + UpstreamHealth::rest_most));
  EXPECT_TRUE(health.resting(now + UpstreamHealth::rest_most))
      << "one query tries, the next waits for its outcome";
  health.succeeded();
  EXPECT_FALSE(health.resting(now));
  EXPECT_EQ(health.last_error(), "");
}

}  // namespace
}  // namespace gateway
