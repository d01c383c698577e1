// Names that are answered here. Every answer is read back by the strict parser.
#include "gateway/policy/special_names.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "dns/answer.h"

namespace gateway::policy {
namespace {

struct Given {
  dns::Rcode rcode = dns::Rcode::servfail;
  dns::AnswerFacts facts;
  std::vector<std::uint8_t> wire;
};

std::optional<Given> ask(const std::string& name, dns::RrType type, bool dnssec_ok = false,
                         const std::vector<std::string>& forwarded = {}) {
  std::vector<dns::Name> names;
  for (const std::string& text : forwarded) names.push_back(dns::Name::from_text(text).value());
  dns::Question question;
  question.name = dns::Name::from_text(name).value();
  question.type = type;
  LocalAnswer answer;
  if (!SpecialNames{names}.answer(question, dnssec_ok, answer)) return std::nullopt;
  const dns::AnswerView view = answer.view();
  const auto kept = dns::keep_answer(view.wire);
  EXPECT_TRUE(kept) << kept.error().context;
  EXPECT_EQ(kept->ttl_offsets.size(), view.ttl_offsets.size());
  return Given{view.rcode, dns::facts_of(view), {view.wire.begin(), view.wire.end()}};
}

TEST(Rfc6761_6_3, LocalhostIsLoopbackInBothFamilies) {
  const auto v4 = ask("LocalHost.", dns::RrType::a);
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->rcode, dns::Rcode::noerror);
  EXPECT_EQ((std::vector<std::uint8_t>{v4->wire.end() - 4, v4->wire.end()}),
            (std::vector<std::uint8_t>{127, 0, 0, 1}));
  const auto v6 = ask("printer.localhost.", dns::RrType::aaaa);
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->wire.back(), 1);
  EXPECT_EQ(v6->facts.kind, dns::AnswerKind::positive);
  EXPECT_EQ(ask("localhost.", dns::RrType::mx)->facts.kind, dns::AnswerKind::nodata);
}

TEST(Rfc6761_6, TestAndInvalidDoNotExist) {
  for (const char* name :
       {"test.", "a.b.test.", "INVALID.", "x.invalid.", "hidden.onion.", "printer.local."}) {
    const auto given = ask(name, dns::RrType::a);
    ASSERT_TRUE(given) << name;
    EXPECT_EQ(given->rcode, dns::Rcode::nxdomain) << name;
    EXPECT_TRUE(given->facts.has_soa) << name;
  }
}

TEST(Rfc6303_3, PrivateReverseZonesAreEmptyZones) {
  for (const char* zone : {"10.in-addr.arpa.", "31.172.in-addr.arpa.", "168.192.in-addr.arpa.",
                           "127.100.in-addr.arpa.", "d.f.ip6.arpa.", "8.B.D.0.1.0.0.2.IP6.ARPA."}) {
    EXPECT_EQ(ask(zone, dns::RrType::soa)->facts.kind, dns::AnswerKind::positive) << zone;
    EXPECT_EQ(ask(zone, dns::RrType::ns)->facts.kind, dns::AnswerKind::positive) << zone;
    EXPECT_EQ(ask(zone, dns::RrType::a)->facts.kind, dns::AnswerKind::nodata) << zone;
    const auto below = ask(std::string{"1.2."} + zone, dns::RrType::ptr);
    EXPECT_EQ(below->rcode, dns::Rcode::nxdomain) << zone;
    EXPECT_EQ(below->facts.negative_ttl, 10800U) << zone;
  }
}

TEST(SpecialNames, OtherNamesGoUpstream) {
  for (const char* name :
       {".", "example.", "test.example.", "localhost.example.", "xtest.", "8.8.8.8.in-addr.arpa.",
        "arpa.", "32.172.in-addr.arpa.", "15.172.in-addr.arpa.", "128.100.in-addr.arpa.",
        "in-addr.arpa.", "c.f.ip6.arpa.", "notlocal.", "aaaaaaaaa."}) {
    EXPECT_FALSE(ask(name, dns::RrType::a)) << name;
  }
}

TEST(SpecialNames, OtherClassesGoUpstream) {
  dns::Question question;
  question.name = dns::Name::from_text("localhost.").value();
  question.type = dns::RrType::a;
  question.klass = dns::RrClass::chaos;
  LocalAnswer answer;
  EXPECT_FALSE(SpecialNames{{}}.answer(question, false, answer));
}

TEST(Rfc6303_3, EachZoneCanBeForwarded) {
  EXPECT_FALSE(ask("www.test.", dns::RrType::a, false, {"TEST."}));
  EXPECT_TRUE(ask("www.invalid.", dns::RrType::a, false, {"test."}));
  EXPECT_FALSE(ask("1.0.10.in-addr.arpa.", dns::RrType::ptr, false, {"10.in-addr.arpa."}));
}

TEST(Rfc8375_4, HomeArpaIsEmptyButItsDsIsAskedOfTheParent) {
  EXPECT_EQ(ask("home.arpa.", dns::RrType::a)->facts.kind, dns::AnswerKind::nodata);
  EXPECT_EQ(ask("nas.home.arpa.", dns::RrType::a)->rcode, dns::Rcode::nxdomain);
  EXPECT_FALSE(ask("home.arpa.", dns::RrType::ds, true));
  EXPECT_TRUE(ask("home.arpa.", dns::RrType::ds, false));
}

TEST(Rfc9462_6_1, ResolverArpaIsNeverForwarded) {
  EXPECT_EQ(ask("resolver.arpa.", dns::RrType::svcb)->facts.kind, dns::AnswerKind::nodata);
  EXPECT_EQ(ask("_other.resolver.arpa.", dns::RrType::svcb)->rcode, dns::Rcode::nxdomain);
}

TEST(SpecialNames, TheLongestNameFitsAnAnswer) {
  std::string name;
  while (name.size() < 240) name += "aaaaaaaaa.";
  name += "localhost.";
  if (name.size() > 253) name.erase(0, name.size() - 253);
  EXPECT_TRUE(ask(name, dns::RrType::a));
  EXPECT_TRUE(ask(name, dns::RrType::txt));
}

}  // namespace
}  // namespace gateway::policy
