// The command line, verb by verb: what is understood, what is refused, and what help says.
#include "gateway/cli/parse.h"

#include <gtest/gtest.h>

#include <sstream>

namespace gateway::cli {
namespace {

using namespace std::chrono_literals;

class CommandLine : public testing::Test {
 protected:
  std::expected<Command, ExitCode> parse_words(std::vector<const char*> words) {
    words.insert(words.begin(), "sallyport");
    out_.str("");
    complaints_.str("");
    return parse(static_cast<int>(words.size()), words.data(), out_, complaints_);
  }
  template <class Options>
  Options understood(std::vector<const char*> words) {
    const auto command = parse_words(std::move(words));
    EXPECT_TRUE(command && std::holds_alternative<Options>(*command)) << complaints_.str();
    if (!command || !std::holds_alternative<Options>(*command)) return {};
    return std::get<Options>(*command);
  }
  void expect_refused(std::vector<const char*> words) {
    const std::string last = words.back();
    const auto command = parse_words(std::move(words));
    ASSERT_FALSE(command) << last;
    EXPECT_EQ(command.error(), ExitCode::usage) << last;
    EXPECT_TRUE(out_.str().empty()) << out_.str();
    EXPECT_TRUE(complaints_.str().contains("--help")) << complaints_.str();
  }

  std::stringstream out_;
  std::stringstream complaints_;
};

TEST_F(CommandLine, NoVerbIsHelp) {
  const auto command = parse_words({});
  ASSERT_FALSE(command);
  EXPECT_EQ(command.error(), ExitCode::ok);
  for (const char* verb : {"run", "check", "query", "reload", "status", "cache", "version"}) {
    EXPECT_TRUE(out_.str().contains(verb)) << verb;
  }
}

TEST_F(CommandLine, EveryVerbHasHelpWithExamplesExitCodesAndJson) {
  const std::vector<std::vector<const char*>> verbs{{"run"},
                                                    {"check"},
                                                    {"query"},
                                                    {"reload"},
                                                    {"status"},
                                                    {"cache", "stats"},
                                                    {"cache", "flush"},
                                                    {"upstream", "list"},
                                                    {"upstream", "test"},
                                                    {"upstream", "drain"},
                                                    {"explain"},
                                                    {"version"}};
  for (std::vector<const char*> words : verbs) {
    const std::string verb = words.back();
    words.push_back("--help");
    const auto command = parse_words(words);
    ASSERT_FALSE(command) << verb;
    EXPECT_EQ(command.error(), ExitCode::ok) << verb;
    EXPECT_TRUE(complaints_.str().empty()) << complaints_.str();
    for (const char* part : {"Examples:", "Exit status:", "--json", "sallyport "}) {
      EXPECT_TRUE(out_.str().contains(part)) << verb << " lacks " << part << '\n' << out_.str();
    }
  }
}

TEST_F(CommandLine, Run) {
  EXPECT_FALSE(understood<RunOptions>({"run"}).config);
  EXPECT_EQ(understood<RunOptions>({"run", "--config", "home.toml"}).config, "home.toml");
  EXPECT_TRUE(understood<RunOptions>({"run", "--demo"}).demo);
  EXPECT_TRUE(understood<RunOptions>({"run", "--json"}).json);
  expect_refused({"run", "--demo", "--config", "home.toml"});
  expect_refused({"run", "--config"});
  expect_refused({"run", "surplus"});
}

TEST_F(CommandLine, UpstreamAndExplain) {
  EXPECT_TRUE(understood<UpstreamListOptions>({"upstream", "list", "--json"}).json);
  EXPECT_FALSE(understood<UpstreamTestOptions>({"upstream", "test"}).url);
  EXPECT_EQ(understood<UpstreamTestOptions>({"upstream", "test", "udp://192.0.2.1"}).url,
            "udp://192.0.2.1");
  const auto drain =
      understood<UpstreamDrainOptions>({"upstream", "drain", "udp://192.0.2.1", "--undo"});
  EXPECT_EQ(drain.url, "udp://192.0.2.1");
  EXPECT_TRUE(drain.undo);
  const auto explain = understood<ExplainOptions>({"explain", "example.org", "AAAA", "--ask"});
  EXPECT_EQ(explain.words, (std::vector<std::string>{"example.org", "AAAA"}));
  EXPECT_TRUE(explain.ask);
  expect_refused({"upstream"});
  expect_refused({"upstream", "drain"});
  expect_refused({"explain"});
}

TEST_F(CommandLine, Check) {
  EXPECT_EQ(understood<CheckOptions>({"check", "home.toml"}).config, "home.toml");
  EXPECT_EQ(understood<CheckOptions>({"check", "--config", "home.toml", "--json"}).config,
            "home.toml");
  expect_refused({"check", "one.toml", "two.toml"});
}

TEST_F(CommandLine, QueryWithEverything) {
  const auto options = understood<QueryOptions>(
      {"query", "@tls://192.0.2.1#dns.example", "example.org", "AAAA", "--dnssec", "--cd",
       "--padding", "--timeout", "750ms", "--ca", "ca.pem", "--pin", "aa", "--pin", "bb", "--short",
       "--repeat", "3", "--json"});
  EXPECT_EQ(options.words,
            (std::vector<std::string>{"@tls://192.0.2.1#dns.example", "example.org", "AAAA"}));
  EXPECT_TRUE(options.dnssec && options.checking_disabled && options.padding &&
              options.short_form && options.json);
  EXPECT_EQ(options.timeout, 750ms);
  EXPECT_EQ(options.ca_file, "ca.pem");
  EXPECT_EQ(options.pins, (std::vector<std::string>{"aa", "bb"}));
  EXPECT_EQ(options.repeat, 3U);
}

TEST_F(CommandLine, QueryDefaults) {
  const auto options = understood<QueryOptions>({"query", "example.org"});
  EXPECT_EQ(options.timeout, 5s);
  EXPECT_EQ(options.repeat, 1U);
  EXPECT_FALSE(options.dnssec || options.padding || options.no_edns || options.insecure ||
               options.json);
}

TEST_F(CommandLine, QueryOptionsAndWordsMix) {
  const auto options =
      understood<QueryOptions>({"query", "--pin", "aa", "example.org", "--short", "TXT"});
  EXPECT_EQ(options.words, (std::vector<std::string>{"example.org", "TXT"}));
}

TEST_F(CommandLine, QueryRefusals) {
  expect_refused({"query"});
  expect_refused({"query", "example.org", "--no-edns", "--dnssec"});
  expect_refused({"query", "example.org", "--no-edns", "--padding"});
  expect_refused({"query", "example.org", "--insecure", "--ca", "ca.pem"});
  expect_refused({"query", "example.org", "--insecure", "--pin", "aa"});
  for (const char* wrong : {"0", "5m", "-1s", "soon", "", "11000s", "99999999999s"}) {
    expect_refused({"query", "example.org", "--timeout", wrong});
  }
  for (const char* wrong : {"0", "10001", "x", "-1"})
    expect_refused({"query", "example.org", "--repeat", wrong});
}

TEST_F(CommandLine, VerbsThatAskTheGateway) {
  EXPECT_EQ(understood<ReloadOptions>({"reload", "--socket", "s"}).gateway.socket, "s");
  EXPECT_EQ(understood<StatusOptions>({"status", "--config", "c"}).gateway.config, "c");
  EXPECT_EQ(understood<CacheStatsOptions>({"cache", "stats", "--json"}).json, true);
  expect_refused({"reload", "now"});
  expect_refused({"cache"});
  expect_refused({"cache", "drain"});
}

TEST_F(CommandLine, CacheFlush) {
  EXPECT_FALSE(understood<CacheFlushOptions>({"cache", "flush"}).name);
  const auto options = understood<CacheFlushOptions>({"cache", "flush", "example.org", "--below"});
  EXPECT_EQ(options.name, "example.org");
  EXPECT_TRUE(options.below);
  expect_refused({"cache", "flush", "--below"});
}

TEST_F(CommandLine, VersionIsAVerbAndAFlag) {
  understood<VersionOptions>({"version"});
  understood<VersionOptions>({"--version"});
}

TEST_F(CommandLine, UnknownWordsAreRefused) {
  expect_refused({"rnu"});
  expect_refused({"--verbose"});
  expect_refused({"run", "--jsno"});
  expect_refused({"run", "check"});
}

}  // namespace
}  // namespace gateway::cli
