// The demonstration's upstream over real sockets, asked by the project's own upstreams.
#include "gateway/demo/server.h"

#include <gtest/gtest.h>

#include <format>
#include <string>

#include "conf/load.h"
#include "tests/gateway/temporary_directory.h"
#include "tests/support/upstream_loop.h"
#include "transports/upstreams/upstreams.h"

namespace gateway::demo {
namespace {

using namespace std::chrono_literals;

class DemoServer : public testing::Test {
 protected:
  using Reply = base::Result<dns::KeptAnswer>;

  Reply ask(const std::string& url, const std::string& name, dns::RrType type,
            std::chrono::milliseconds patience = 8s) {
    conf::Upstream settings = conf::parse_upstream_url(url).value();
    settings.ca_file = server_.authority_file();
    settings.timeout = patience;
    auto upstream = transports::make_upstream(settings, loop_.context()).value();
    Reply reply = loop_.run(
        upstream->exchange(test_support::ask_for(name, type), test_support::in(patience)));
    loop_.run(upstream->close(test_support::in(0ms)));
    return reply;
  }
  [[nodiscard]] std::string udp() const { return "udp://" + server_.plain().to_text(); }
  [[nodiscard]] std::string tcp() const { return "tcp://" + server_.plain().to_text(); }
  [[nodiscard]] std::string dot() const { return "tls://" + server_.dot().to_text(); }

  TemporaryDirectory directory_;
  base::Log log_{{.level = base::LogLevel::off}};
  Server server_{directory_.file("state"), log_};
  test_support::UpstreamLoop loop_;
};

bool contains(const base::Result<dns::KeptAnswer>& reply, std::string_view text) {
  return reply && base::as_text(reply->wire).contains(text);
}

TEST_F(DemoServer, SaysOverWhichTransportItWasAsked) {
  EXPECT_TRUE(contains(ask(udp(), "whoami.demo.test.", dns::RrType::txt), "asked over udp"));
  EXPECT_TRUE(contains(ask(tcp(), "whoami.demo.test.", dns::RrType::txt), "asked over tcp"));
  EXPECT_TRUE(contains(ask(dot(), "whoami.demo.test.", dns::RrType::txt), "asked over dot"));
}

TEST_F(DemoServer, LongAnswersComeOverTcpWhenUdpHasNoRoom) {
  for (const std::string& url : {udp(), dot()}) {
    const Reply reply = ask(url, "big.demo.test.", dns::RrType::txt);
    ASSERT_TRUE(reply) << reply.error().context;
    EXPECT_GT(reply->wire.size(), 3000U);
    const Reply huge = ask(url, "huge.demo.test.", dns::RrType::txt);
    ASSERT_TRUE(huge) << huge.error().context;
    EXPECT_GT(huge->wire.size(), 60'000U);
  }
}

TEST_F(DemoServer, FailsWithAReasonAndKnowsWhatDoesNotExist) {
  const Reply failure = ask(dot(), "fail.demo.test.", dns::RrType::a);
  ASSERT_TRUE(failure) << failure.error().context;
  EXPECT_EQ(failure->rcode, dns::Rcode::servfail);
  EXPECT_EQ(failure->ede_text, "fails on purpose");
  EXPECT_EQ(ask(udp(), "nothing.demo.test.", dns::RrType::a)->rcode, dns::Rcode::nxdomain);
}

TEST_F(DemoServer, TakesItsTimeWhereItIsSlow) {
  const auto begin = base::Clock::now();
  const Reply reply = ask(dot(), "slow.demo.test.", dns::RrType::a);
  ASSERT_TRUE(reply) << reply.error().context;
  EXPECT_GE(base::Clock::now() - begin, 300ms);
}

TEST_F(DemoServer, KeepsSilentWhereItIsToBeSilent) {
  for (const std::string& url : {udp(), tcp(), dot()}) {
    EXPECT_FALSE(ask(url, "silent.demo.test.", dns::RrType::a, 400ms)) << url;
  }
}

TEST_F(DemoServer, TwoStandBesideEachOther) {
  Server second(directory_.file("second"), log_);
  EXPECT_NE(second.plain(), server_.plain());
  EXPECT_NE(second.dot(), server_.dot());
}

}  // namespace
}  // namespace gateway::demo
