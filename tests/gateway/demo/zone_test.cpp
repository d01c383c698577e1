// The demonstration's zone answers as a zone must, and every answer of it is well-formed.
#include "gateway/demo/zone.h"

#include <gtest/gtest.h>

#include <string>

namespace gateway::demo {
namespace {

using dns::Rcode;
using dns::RrType;

class DemoZone : public testing::Test {
 protected:
  static dns::Question question(const std::string& name, RrType type) {
    return {*dns::Name::from_text(name), type, dns::RrClass::in};
  }

  /// The answer, after the strict parser has found it sound and the same.
  dns::KeptAnswer ask(const std::string& name, RrType type,
                      conf::Protocol protocol = conf::Protocol::udp) {
    const dns::KeptAnswer answer = zone_.answer(question(name, type), protocol);
    const auto parsed = dns::keep_answer(answer.wire);
    EXPECT_TRUE(parsed) << name << ": " << (parsed ? "" : parsed.error().context);
    if (parsed) EXPECT_EQ(parsed->ttl_offsets, answer.ttl_offsets) << name;
    return answer;
  }
  static std::size_t answers(const dns::KeptAnswer& answer) {
    return base::load_u16(&answer.wire[6]);
  }
  static std::size_t authorities(const dns::KeptAnswer& answer) {
    return base::load_u16(&answer.wire[8]);
  }
  static bool contains(const dns::KeptAnswer& answer, std::string_view text) {
    return base::as_text(answer.wire).contains(text);
  }

  Zone zone_;
};

TEST_F(DemoZone, HasAllAddressesOfAName) {
  EXPECT_EQ(answers(ask("www.demo.test.", RrType::a)), 2U);
  EXPECT_EQ(answers(ask("WWW.Demo.TEST.", RrType::aaaa)), 1U);
  EXPECT_EQ(answers(ask("demo.test.", RrType::mx)), 2U);
  EXPECT_EQ(answers(ask("_sip._tcp.demo.test.", RrType::srv)), 1U);
  EXPECT_EQ(answers(ask("www.demo.test.", RrType::https)), 1U);
}

TEST_F(DemoZone, Rfc1034_3_6_2_AliasesAreFollowed) {
  const dns::KeptAnswer answer = ask("alias.demo.test.", RrType::a);
  EXPECT_EQ(answers(answer), 4U);  // two CNAMEs, two addresses
  EXPECT_EQ(answers(ask("alias.demo.test.", RrType::cname)), 1U);
  const dns::KeptAnswer nodata = ask("alias.demo.test.", RrType::mx);
  EXPECT_EQ(answers(nodata), 2U);
  EXPECT_EQ(authorities(nodata), 1U);
}

TEST_F(DemoZone, Rfc2308_2_NegativeAnswersHaveTheSoa) {
  const dns::KeptAnswer nxdomain = ask("nothing.demo.test.", RrType::a);
  EXPECT_EQ(nxdomain.rcode, Rcode::nxdomain);
  EXPECT_EQ(dns::facts_of(nxdomain.view()).kind, dns::AnswerKind::nxdomain);
  EXPECT_TRUE(dns::facts_of(nxdomain.view()).has_soa);
  const dns::KeptAnswer nodata = ask("www.demo.test.", RrType::mx);
  EXPECT_EQ(nodata.rcode, Rcode::noerror);
  EXPECT_EQ(dns::facts_of(nodata.view()).kind, dns::AnswerKind::nodata);
  EXPECT_TRUE(dns::facts_of(nodata.view()).has_soa);
}

TEST_F(DemoZone, Rfc8020_EmptyNonTerminalsExist) {
  EXPECT_EQ(ask("_tcp.demo.test.", RrType::a).rcode, Rcode::noerror);
  EXPECT_EQ(ask("any.demo.test.", RrType::a).rcode, Rcode::noerror);
}

TEST_F(DemoZone, Rfc4592_TheWildcardAnswersForNamesThatDoNotExist) {
  const dns::KeptAnswer answer = ask("x17.any.demo.test.", RrType::a);
  EXPECT_EQ(answers(answer), 1U);
  EXPECT_FALSE(contains(answer, "\x01*"));
  EXPECT_EQ(answers(ask("deep.x17.any.demo.test.", RrType::a)), 1U);
  EXPECT_EQ(ask("x17.any.demo.test.", RrType::mx).rcode, Rcode::noerror);
}

TEST_F(DemoZone, HasAnswersOfThreeAndSixtyThousandOctets) {
  EXPECT_GT(ask("big.demo.test.", RrType::txt).wire.size(), 3000U);
  const std::size_t huge = ask("huge.demo.test.", RrType::txt).wire.size();
  EXPECT_GT(huge, 60'000U);
  EXPECT_LT(huge, dns::message_size_max);
}

TEST_F(DemoZone, WhoamiNamesTheTransport) {
  EXPECT_TRUE(
      contains(ask("whoami.demo.test.", RrType::txt, conf::Protocol::udp), "asked over udp"));
  EXPECT_TRUE(
      contains(ask("whoami.demo.test.", RrType::txt, conf::Protocol::dot), "asked over dot"));
  EXPECT_EQ(ask("whoami.demo.test.", RrType::a).rcode, Rcode::noerror);
}

TEST_F(DemoZone, FailsWithAReason) {
  const dns::KeptAnswer answer = ask("fail.demo.test.", RrType::a);
  EXPECT_EQ(answer.rcode, Rcode::servfail);
  EXPECT_TRUE(answer.has_ede);
  EXPECT_EQ(answer.ede_text, "fails on purpose");
}

TEST_F(DemoZone, RefusesOtherZonesAndClasses) {
  EXPECT_EQ(ask("example.org.", RrType::a).rcode, Rcode::refused);
  EXPECT_EQ(ask("notdemo.test.", RrType::a).rcode, Rcode::refused);
  dns::Question chaos = question("www.demo.test.", RrType::a);
  chaos.klass = dns::RrClass::chaos;
  EXPECT_EQ(zone_.answer(chaos, conf::Protocol::udp).rcode, Rcode::refused);
}

TEST_F(DemoZone, TellsWhatIsToBeSlowOrSilent) {
  EXPECT_EQ(zone_.manner_of(question("SLOW.demo.test.", RrType::a)), Manner::slowly);
  EXPECT_EQ(zone_.manner_of(question("silent.demo.test.", RrType::a)), Manner::never);
  EXPECT_EQ(zone_.manner_of(question("www.demo.test.", RrType::a)), Manner::at_once);
}

TEST_F(DemoZone, TheLongestNameFindsNoWildcard) {
  const std::string label(63, 'x');
  const std::string longest =
      label + '.' + label + '.' + label + '.' + std::string(47, 'x') + ".any.demo.test.";
  EXPECT_EQ(answers(ask(longest, RrType::a)), 1U);
}

}  // namespace
}  // namespace gateway::demo
