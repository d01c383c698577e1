// Longest match on labels, and what a reload leads elsewhere.
#include "gateway/policy/routes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "gateway/policy/special_names.h"

namespace gateway::policy {
namespace {

dns::Name name(const char* text) { return dns::Name::from_text(text).value(); }

conf::Config config() {
  conf::Config config;
  config.upstreams.resize(3);
  config.upstreams[0].url = "udp://192.0.2.1";
  config.upstreams[1].url = "udp://192.0.2.2";
  config.upstreams[1].set = "inner";
  config.upstreams[2].url = "udp://192.0.2.3";
  config.upstreams[2].set = "lab";
  config.routes = {{{name("corp.example."), name("10.in-addr.arpa.")}, "inner", {7}},
                   {{name("lab.Corp.example.")}, "lab", {12}},
                   {{name("www.lab.corp.example.")}, "default", {15}}};
  return config;
}

TEST(Routes, TheLongestNameCountsByWholeLabels) {
  const Routes routes{config().routes};
  const auto set_of = [&](const char* text) { return std::string{routes.find(name(text)).set}; };
  EXPECT_EQ(set_of("."), "default");
  EXPECT_EQ(set_of("example."), "default");
  EXPECT_EQ(set_of("corp.example."), "inner");
  EXPECT_EQ(set_of("a.b.CORP.example."), "inner");
  EXPECT_EQ(set_of("acorp.example."), "default");
  EXPECT_EQ(set_of("x.lab.corp.example."), "lab");
  EXPECT_EQ(set_of("www.lab.corp.example."), "default");
  EXPECT_EQ(set_of("1.0.0.10.in-addr.arpa."), "inner");
  EXPECT_EQ(set_of("corp.example.org."), "default");
  EXPECT_EQ(set_of("\\004corp\\007example."), "default") << "octets, not labels";
}

TEST(Routes, SayWhichLineAndHowMuchOfTheNameDecided) {
  const Routes routes{config().routes};
  const Routes::Found found = routes.find(name("a.lab.corp.example."));
  EXPECT_EQ(found.line, 12U);
  EXPECT_EQ(found.suffix_size, name("lab.corp.example.").size());
  EXPECT_EQ(routes.find(name("org.")).suffix_size, 1U);
  EXPECT_EQ(Routes{}.find(name("corp.example.")).line, 0U);
}

TEST(Routes, TheRootMayHaveOne) {
  conf::Route all;
  all.names = {name(".")};
  all.set = "inner";
  const Routes routes{std::span{&all, 1}};
  EXPECT_EQ(routes.find(name("www.example.")).set, "inner");
}

TEST(Routes, Rfc6761_SpecialNamesAreAnsweredHereUnlessRouted) {
  const std::vector<dns::Name> routed{name("10.in-addr.arpa."), name("corp.test."), name("arpa.")};
  const SpecialNames special{{}, routed};
  const auto is_local = [&](const char* text) {
    dns::Question question;
    question.name = name(text);
    question.type = dns::RrType::ptr;
    question.klass = dns::RrClass::in;
    LocalAnswer answer;
    return special.answer(question, false, answer);
  };
  EXPECT_FALSE(is_local("1.0.0.10.in-addr.arpa."));
  EXPECT_TRUE(is_local("1.1.168.192.in-addr.arpa.")) << "nearer than the route for arpa.";
  EXPECT_FALSE(is_local("1.2.0.198.in-addr.arpa."));
  EXPECT_FALSE(is_local("www.corp.test."));
  EXPECT_TRUE(is_local("www.test."));
}

TEST(Routes, AReloadForgetsWhatItLeadsElsewhereAndNothingElse) {
  const conf::Config before = config();
  conf::Config after = before;
  EXPECT_TRUE(led_elsewhere(before, after).empty());
  after.upstreams[0].url = "udp://192.0.2.9";
  EXPECT_TRUE(led_elsewhere(before, after).empty());
  after.upstreams[2].url = "udp://192.0.2.9";
  EXPECT_EQ(led_elsewhere(before, after), std::vector{name("lab.corp.example.")});
  after = before;
  after.routes[0].names.pop_back();
  after.routes[2].names = {name("new.example.")};
  EXPECT_EQ(
      led_elsewhere(before, after),
      (std::vector{name("10.in-addr.arpa."), name("www.lab.corp.example."), name("new.example.")}));
}

TEST(Routes, AFingerprintIsOfWhereNamesLeadAndNothingElse) {
  const conf::Config before = config();
  const std::uint64_t print = fingerprint_of_ways(before);
  const auto changed = [&](auto&& change) {
    conf::Config after = before;
    change(after);
    return fingerprint_of_ways(after) != print;
  };
  EXPECT_FALSE(changed([](conf::Config& after) { after.server.name = "other.example"; }));
  EXPECT_FALSE(changed([](conf::Config& after) {
    std::ranges::reverse(after.upstreams);
    std::ranges::reverse(after.routes);
    after.upstreams[0].weight = 7;
    after.routes[1].line.number = 99;
  }));
  EXPECT_FALSE(changed([](conf::Config& after) {
    after.routes[0].names = {name("CORP.example."), name("10.in-addr.arpa.")};
  }));
  EXPECT_TRUE(changed([](conf::Config& after) { after.routes.pop_back(); }));
  EXPECT_TRUE(changed([](conf::Config& after) { after.routes[0].set = "lab"; }));
  EXPECT_TRUE(changed([](conf::Config& after) { after.routes[0].names = {name("corp.test.")}; }));
  EXPECT_TRUE(changed([](conf::Config& after) { after.upstreams[2].url = "udp://192.0.2.9"; }));
  EXPECT_TRUE(changed([](conf::Config& after) { after.upstreams[0].url = "udp://192.0.2.9"; }));
}

}  // namespace
}  // namespace gateway::policy
