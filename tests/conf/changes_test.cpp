// What a reload would change, and when.
#include "conf/changes.h"

#include <gtest/gtest.h>

#include "conf/load.h"

namespace conf {
namespace {

Config load(std::string_view text) { return load_text(text, "test.toml", ".").value(); }

TEST(Changes, OfTheSameFileAreNone) {
  EXPECT_TRUE(changes(defaults(), load("")).none());
  EXPECT_TRUE(changes(load("[log]\nlevel = \"debug\"\n"), load("[log]\nlevel='debug'\n")).none());
}

TEST(Changes, AreToldWithBothValuesInTheOrderOfTheTables) {
  const Changes found = changes(load(""), load(R"(
[log]
level = "debug"
[limits]
query_timeout = "2s"
[cache]
size = "1 GiB"
[server]
workers = 4
)"));
  EXPECT_EQ(found.at_once,
            (std::vector<std::string>{"`query_timeout` in [limits] is now \"2s\" (was \"4s\")",
                                      "`level` in [log] is now \"debug\" (was \"info\")"}));
  EXPECT_EQ(found.after_restart,
            (std::vector<std::string>{"`workers` in [server] will be 4 (was 0)",
                                      "`size` in [cache] will be \"1 GiB\" (was \"64 MiB\")"}));
}

TEST(Changes, WhatIsBoundOrSizedAtTheStartWaitsForTheNextOne) {
  const Changes found = changes(load(""), load(R"(
[server]
listen = ["udp://127.0.0.1:5300"]
workers = 2
state_directory = "state"
[cache]
size = "1 MiB"
[admin]
listen = ""
)"));
  EXPECT_TRUE(found.at_once.empty());
  EXPECT_EQ(found.after_restart.size(), 5U);
  EXPECT_EQ(found.after_restart.back(),
            "`listen` in [admin] will be \"\" (was \"127.0.0.1:8953\")");
}

TEST(Changes, ANameSwitchesListenersOnAtTheNextStart) {
  const Changes found = changes(load(""), load("[server]\nname = \"dns.example.org\"\n"));
  ASSERT_EQ(found.after_restart.size(), 1U);
  EXPECT_TRUE(found.after_restart.front().contains("tls://[::1]:853"))
      << found.after_restart.front();
  EXPECT_EQ(found.at_once,
            std::vector<std::string>{"`name` in [server] is now \"dns.example.org\" (was \"\")"});
}

TEST(Changes, OfListsAreToldByTheirTables) {
  const std::string_view one = "[[upstream]]\nurl = \"udp://192.0.2.1\"\n";
  const std::string_view two = "[[upstream]]\nurl = \"udp://192.0.2.2\"\n";
  const std::string_view slow_one = "[[upstream]]\nurl = \"udp://192.0.2.1\"\ntimeout = \"3s\"\n";
  const auto both = [](std::string_view first, std::string_view second) {
    return load(std::string{first} + std::string{second});
  };
  EXPECT_EQ(changes(load(one), both(one, two)).at_once,
            std::vector<std::string>{"upstream \"udp://192.0.2.2\" is new"});
  EXPECT_EQ(changes(both(one, two), load(two)).at_once,
            std::vector<std::string>{"upstream \"udp://192.0.2.1\" is gone"});
  EXPECT_EQ(changes(both(one, two), both(two, one)).at_once,
            std::vector<std::string>{"the order of [[upstream]] is another"});
  EXPECT_EQ(changes(load(one), load(slow_one)).at_once,
            std::vector<std::string>{
                "`timeout` in upstream \"udp://192.0.2.1\" is now \"3s\" (was \"1500ms\")"});
}

TEST(Changes, CertificatesMayComeAndGo) {
  Config with = defaults();
  with.certificates.push_back({.chain_file = "/a.pem", .key_file = "/a.key"});
  Config other_key = with;
  other_key.certificates.front().key_file = "/b.key";
  EXPECT_EQ(changes(defaults(), with).at_once,
            std::vector<std::string>{"certificate \"/a.pem\" is new"});
  EXPECT_EQ(changes(with, defaults()).at_once,
            std::vector<std::string>{"certificate \"/a.pem\" is gone"});
  EXPECT_EQ(changes(with, other_key).at_once,
            std::vector<std::string>{
                "`key_file` in certificate \"/a.pem\" is now \"/b.key\" (was \"/a.key\")"});
}

}  // namespace
}  // namespace conf
