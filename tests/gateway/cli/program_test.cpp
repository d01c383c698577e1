// The real program from its command line to its exit status: every verb, a gateway that runs,
// reloads and stops.
#include "tests/gateway/program.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <format>
#include <fstream>
#include <regex>

#include "tests/gateway/temporary_directory.h"

namespace gateway {
namespace {

namespace json = boost::json;
using Result = Program::Result;

/// The first group of `pattern` in `text`.
std::string found(const std::string& text, const char* pattern) {
  std::smatch match;
  EXPECT_TRUE(std::regex_search(text, match, std::regex(pattern))) << pattern << " in " << text;
  return match.empty() ? "" : match[1].str();
}

TEST(Program, VersionAndHelpAreDone) {
  EXPECT_EQ(Program::run({"version"}).status, 0);
  EXPECT_TRUE(json::parse(Program::run({"version", "--json"}).out).at("openssl").is_string());
  EXPECT_EQ(Program::run({}).status, 0);
  const Result help = Program::run({"query", "--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_TRUE(help.out.contains("Usage: sallyport query ")) << help.out;
  EXPECT_EQ(Program::run({"cache", "flush", "--help"}).status, 0);
}

TEST(Program, AWrongCommandLineIsTwo) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"rnu"},
           {"query"},
           {"query", "a..b"},
           {"query", "@ftp://192.0.2.1", "example.org"},
           {"query", "@udp://127.0.0.1:1", "--padding", "example.org"},
           {"cache", "flush", "a..b", "--socket", "x"}}) {
    const Result result = Program::run(words);
    EXPECT_EQ(result.status, 2) << words.back();
    EXPECT_TRUE(result.out.empty()) << result.out;
    EXPECT_FALSE(result.complaints.empty()) << words.back();
  }
}

TEST(Program, ABadConfigurationIsThreeWithAllComplaints) {
  const TemporaryDirectory directory;
  const std::string file = directory.file("bad.toml");
  std::ofstream(file) << "[server]\nlisten = [\"ftp://127.0.0.1\"]\nnmae = \"x\"\n";
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"check", file},
                                             {"run", "--config", file},
                                             {"query", "example.org", "--config", file}}) {
    const Result result = Program::run(words);
    EXPECT_EQ(result.status, 3) << words.front();
    EXPECT_TRUE(result.complaints.contains("nmae")) << result.complaints;
    EXPECT_TRUE(result.complaints.contains("ftp")) << result.complaints;
  }
  const Result checked = Program::run({"check", file, "--json"});
  EXPECT_EQ(checked.status, 3);
  EXPECT_EQ(json::parse(checked.out).at("problems").as_array().size(), 2U) << checked.out;
  EXPECT_EQ(Program::run({"status", "--config", file}).status, 3);
  EXPECT_EQ(Program::run({"check", directory.file("none.toml")}).status, 3);
}

TEST(Program, AGoodConfigurationIsDone) {
  const Result result = Program::run({"check", "conf/sallyport.example.toml"});
  EXPECT_EQ(result.status, 0) << result.complaints;
  EXPECT_TRUE(result.complaints.empty()) << result.complaints;
}

TEST(Program, WhoCannotBeReachedIsFour) {
  const TemporaryDirectory directory;
  const std::string socket = directory.file("control.sock");
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"status", "--socket", socket},
           {"reload", "--socket", socket},
           {"cache", "stats", "--socket", socket},
           {"cache", "flush", "--socket", socket},
           {"query", "@tcp://127.0.0.1:1", "example.org", "--timeout", "2s"},
           {"query", "@udp://127.0.0.1:1", "example.org", "--timeout", "2s"}}) {
    const Result result = Program::run(words);
    EXPECT_EQ(result.status, 4) << words.front() << ' ' << result.complaints;
    EXPECT_TRUE(result.out.empty()) << result.out;
  }
  const Result failure = Program::run({"query", "@tcp://127.0.0.1:1", "example.org", "--json"});
  EXPECT_EQ(failure.status, 4);
  EXPECT_TRUE(json::parse(failure.out).at("error").is_string()) << failure.out;
}

/// `sallyport run --demo --json`, ready.
class RunningDemo : public testing::Test {
 protected:
  RunningDemo() {
    const std::string greeting = program_.complaints_until("Ctrl-C");
    plain_ = found(greeting, "@udp://(127\\.0\\.0\\.1:[0-9]+)");
    doq_ = found(greeting, "@quic://(127\\.0\\.0\\.1:[0-9]+)");
    dot_ = found(greeting, "@tls://(127\\.0\\.0\\.1:[0-9]+)");
    authority_ = found(greeting, "--ca ([^ ]+)");
    socket_ = found(greeting, "--socket ([^\\n]+)");
  }
  json::value query(std::vector<std::string> words) {
    words.insert(words.begin(), "query");
    words.emplace_back("--json");
    const Result result = Program::run(words);
    EXPECT_EQ(result.status, 0) << result.complaints;
    return json::parse(result.out);
  }
  Result verb(std::vector<std::string> words) {
    words.insert(words.end(), {"--socket", socket_});
    return Program::run(words);
  }

  TemporaryDirectory directory_;
  NotifySocket manager_{directory_.file("notify")};
  Program program_{{"run", "--demo", "--json"}, {manager_.variable()}};
  std::string plain_;
  std::string dot_;
  std::string doq_;
  std::string authority_;
  std::string socket_;
};

TEST_F(RunningDemo, AnswersOverEveryTransportAndSaysSo) {
  EXPECT_EQ(
      query({"@udp://" + plain_, "www.demo.test"}).at("message").at("answer").as_array().size(),
      2U);
  EXPECT_EQ(query({"@tcp://" + plain_, "big.demo.test", "TXT"}).at("transport"), "tcp");
  EXPECT_EQ(query({"@" + plain_, "big.demo.test", "TXT"}).at("truncated_over_udp"), true);
  const json::value over_tls =
      query({"@tls://" + dot_, "alias.demo.test", "--ca", authority_, "--padding"});
  EXPECT_EQ(over_tls.at("tls").at("verified"), true);
  EXPECT_EQ(over_tls.at("tls").at("alpn"), "dot");
  EXPECT_EQ(over_tls.at("message").at("octets"), 468);
  EXPECT_EQ(query({"@tcp://" + plain_, "whoami.demo.test", "TXT"})
                .at("message")
                .at("answer")
                .at(0)
                .at("data"),
            "\"asked over dot\"");
  EXPECT_EQ(query({"@udp://" + plain_, "nothing.demo.test"}).at("message").at("rcode"), "NXDOMAIN");
  EXPECT_EQ(query({"@udp://" + plain_, "fail.demo.test"})
                .at("message")
                .at("edns")
                .at("ede")
                .at(0)
                .at("text"),
            "fails on purpose");
}

TEST_F(RunningDemo, AnswersOverQuicAndSaysHow) {
  const json::value asked =
      query({"@quic://" + doq_, "alias.demo.test", "--ca", authority_, "--padding"});
  EXPECT_EQ(asked.at("transport"), "doq");
  EXPECT_EQ(asked.at("tls").at("verified"), true);
  EXPECT_EQ(asked.at("tls").at("alpn"), "doq");
  EXPECT_EQ(asked.at("tls").at("resumed"), false);
  EXPECT_EQ(asked.at("quic").at("version"), 1);
  EXPECT_EQ(asked.at("quic").at("retried"), false);
  EXPECT_EQ(asked.at("message").at("octets"), 468);
  EXPECT_EQ(asked.at("message").at("id"), 0);
  EXPECT_GT(asked.at("timings").at("handshake_us").as_int64(), 0);
  const Result text = Program::run({"query", "@quic://" + doq_, "www.demo.test", "--insecure"});
  EXPECT_TRUE(text.out.contains(";; QUIC: version 1, no Retry\n")) << text.out;
  EXPECT_TRUE(text.out.contains("NOT VERIFIED")) << text.out;
  EXPECT_FALSE(text.out.contains("connect ")) << text.out;
  EXPECT_EQ(Program::run({"query", "@quic://" + doq_, "www.demo.test"}).status, 4);
}

TEST_F(RunningDemo, ShowsALineForEachQuery) {
  query({"@udp://" + plain_, "www.demo.test", "AAAA"});
  query({"@tcp://" + plain_, "www.demo.test", "AAAA"});
  const std::string lines = program_.out_until(R"("source":"cache")");
  EXPECT_TRUE(lines.starts_with(
      R"({"name":"www.demo.test.","type":"AAAA","transport":"udp","rcode":"NOERROR","source":"upstream")"))
      << lines;
  EXPECT_TRUE(lines.contains(R"("transport":"tcp","rcode":"NOERROR","source":"cache")")) << lines;
}

TEST_F(RunningDemo, OnlyItsOwnAuthorityVouchesForIt) {
  const Result stranger = Program::run(
      {"query", "@tls://" + dot_, "www.demo.test", "--pin", std::string(43, 'A') + "="});
  EXPECT_EQ(stranger.status, 4) << stranger.out;
  const json::value insecure = query({"@tls://" + dot_, "www.demo.test", "--insecure"});
  EXPECT_EQ(insecure.at("tls").at("verified"), false);
  const std::string pin(insecure.at("tls").at("pin").as_string());
  EXPECT_EQ(query({"@tls://" + dot_, "www.demo.test", "--pin", pin}).at("tls").at("verified"),
            true);
  EXPECT_EQ(
      query({"@tls://" + dot_, "www.demo.test", "--pin", "sha256/" + pin}).at("tls").at("verified"),
      true);
}

TEST_F(RunningDemo, ShortIsTheDataAlone) {
  const Result result =
      Program::run({"query", "@" + plain_, "alias.demo.test", "--short", "--repeat", "2"});
  const std::string once = "alias2.demo.test.\nwww.demo.test.\n192.0.2.80\n192.0.2.81\n";
  EXPECT_EQ(result.out, once + once);
}

TEST_F(RunningDemo, TellsItsStatusAndForgets) {
  query({"@udp://" + plain_, "www.demo.test"});
  const json::value status = json::parse(verb({"status", "--json"}).out);
  EXPECT_EQ(status.at("listeners").as_array().size(), 6U);
  EXPECT_EQ(status.at("queries"), 1);
  EXPECT_TRUE(verb({"status"}).out.contains("udp://" + plain_));
  EXPECT_EQ(json::parse(verb({"cache", "stats", "--json"}).out).at("entries"), 1);
  EXPECT_EQ(verb({"cache", "flush", "other.test"}).out, "forgotten: 0\n");
  EXPECT_EQ(verb({"cache", "flush", "demo.test", "--below"}).out, "forgotten: 1\n");
  EXPECT_TRUE(verb({"cache", "stats"}).out.starts_with("entries   0 "))
      << verb({"cache", "stats"}).out;
  EXPECT_EQ(verb({"reload"}).status, 3);
}

TEST_F(RunningDemo, ASecondOneTakesOtherPorts) {
  Program second({"run", "--demo", "--json"});
  const std::string greeting = second.complaints_until("Ctrl-C");
  EXPECT_NE(found(greeting, "@udp://(127\\.0\\.0\\.1:[0-9]+)"), plain_);
  second.tell(SIGINT);
  EXPECT_EQ(second.finish().status, 0);
}

TEST_F(RunningDemo, TellsTheServiceManagerAndLeavesNothingBehind) {
  EXPECT_EQ(manager_.next(), "READY=1");
  program_.tell(SIGHUP);
  EXPECT_TRUE(manager_.next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_EQ(manager_.next(), "READY=1");
  program_.tell(SIGTERM);
  EXPECT_EQ(manager_.next(), "STOPPING=1");
  EXPECT_EQ(program_.finish().status, 0);
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(socket_).parent_path()));
}

/// `sallyport run --config FILE` with a state directory of its own.
class RunningGateway : public testing::Test {
 protected:
  void write(const std::string& more) {
    std::ofstream(config_) << std::format(
        "[server]\nlisten = [\"udp://127.0.0.1:0\", \"tcp://127.0.0.1:0\"]\nstate_directory = "
        "\"{}\"\nworkers = 2\n"
        "[admin]\nlisten = \"\"\n[[upstream]]\nurl = \"udp://127.0.0.1:1\"\n{}",
        directory_.file("state"), more);
  }
  Result verb(std::vector<std::string> words) {
    words.insert(words.end(), {"--config", config_});
    return Program::run(words);
  }
  json::value status() { return json::parse(verb({"status", "--json"}).out); }

  TemporaryDirectory directory_;
  std::string config_ = directory_.file("gateway.toml");
  NotifySocket manager_{directory_.file("notify")};
};

TEST_F(RunningGateway, ReloadsWhatIsGoodAndKeepsItsOldOnesOtherwise) {
  write("");
  Program program({"run", "--config", config_}, {manager_.variable()});
  EXPECT_EQ(manager_.next(), "READY=1");
  EXPECT_EQ(status().at("upstreams").as_array().size(), 1U);

  write("[[upstream]]\nurl = \"tcp://127.0.0.1:1\"\n");
  const Result good = verb({"reload"});
  EXPECT_EQ(good.status, 0) << good.complaints;
  EXPECT_TRUE(good.out.starts_with("reloaded\n")) << good.out;
  EXPECT_EQ(status().at("upstreams").as_array().size(), 2U);

  const std::string socket = directory_.file("state/control.sock");
  write("nonsense = 1\n");
  const Result bad = Program::run({"reload", "--socket", socket});
  EXPECT_EQ(bad.status, 3);
  EXPECT_TRUE(bad.complaints.contains("nonsense")) << bad.complaints;
  EXPECT_TRUE(bad.complaints.ends_with("nothing was changed\n")) << bad.complaints;
  const Result after = Program::run({"status", "--json", "--socket", socket});
  EXPECT_EQ(json::parse(after.out).at("upstreams").as_array().size(), 2U);

  program.tell(SIGTERM);
  EXPECT_EQ(program.finish().status, 0);
}

TEST_F(RunningGateway, AnswersLocalNamesWithoutAnUpstream) {
  write("");
  Program program({"run", "--config", config_}, {manager_.variable()});
  EXPECT_EQ(manager_.next(), "READY=1");
  const json::value listeners = status().at("listeners");
  for (const json::value& listener : listeners.as_array()) {
    const std::string url(listener.at("url").as_string());
    EXPECT_EQ(Program::run({"query", "@" + url, "localhost", "--short"}).out, "127.0.0.1\n") << url;
  }
}

TEST_F(RunningGateway, ASecondOneWithItsStateDirectoryIsRefused) {
  write("");
  Program program({"run", "--config", config_}, {manager_.variable()});
  EXPECT_EQ(manager_.next(), "READY=1");
  const Result second = verb({"run"});
  EXPECT_EQ(second.status, 1);
  EXPECT_TRUE(second.complaints.contains("another sallyport runs")) << second.complaints;
}

TEST_F(RunningGateway, ASecondOneOnItsPortIsRefused) {
  write("");
  Program program({"run", "--config", config_}, {manager_.variable()});
  EXPECT_EQ(manager_.next(), "READY=1");
  for (const json::value& listener : status().at("listeners").as_array()) {
    const std::string url(listener.at("url").as_string());
    const std::string other = directory_.file("other.toml");
    std::ofstream(other) << std::format(
        "[server]\nlisten = [\"{}\"]\nstate_directory = \"{}\"\n[admin]\nlisten = \"\"\n", url,
        directory_.file("other"));
    const Result second = Program::run({"run", "--config", other});
    EXPECT_EQ(second.status, 1) << url;
    EXPECT_TRUE(second.complaints.contains(url)) << second.complaints;
  }
}

TEST_F(RunningGateway, LogsJsonWhenAsked) {
  write("");
  Program program({"run", "--json", "--config", config_}, {manager_.variable()});
  EXPECT_EQ(manager_.next(), "READY=1");
  program.tell(SIGTERM);
  const Result result = program.finish();
  EXPECT_EQ(result.status, 0);
  std::istringstream lines(result.complaints);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    EXPECT_TRUE(json::parse(line).is_object()) << line;
  EXPECT_GE(count, 2U);
}

}  // namespace
}  // namespace gateway
