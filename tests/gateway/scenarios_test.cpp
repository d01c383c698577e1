// Plays tests/scenarios/*.txt on fake time, a test for each file: the real pipeline, cache, flights
// and home under a clock and over an upstream that do as they are told. The language is told in
// tests/scenarios/README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cache/archive.h"
#include "conf/load.h"
#include "conf/units.h"
#include "tests/cache/replies.h"
#include "tests/gateway/temporary_directory.h"
#include "tests/support/pipeline_fixture.h"
#include "tests/support/told_clock.h"

namespace gateway {
namespace {

using std::chrono::milliseconds;
using Words = std::vector<std::string>;

const std::filesystem::path folder = "tests/scenarios";

std::vector<std::string> scenarios() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == ".txt") names.push_back(file.path().stem());
  }
  std::ranges::sort(names);
  return names;
}

milliseconds duration_from(const std::string& text) {
  const auto duration = conf::parse_duration(text);
  if (!duration) throw std::invalid_argument(text + ": " + duration.error().message);
  return *duration;
}

std::uint8_t last_octet(const std::string& address) {
  const std::string documentation = "192.0.2.";  // RFC 5737
  if (!address.starts_with(documentation)) throw std::invalid_argument("no address: " + address);
  return static_cast<std::uint8_t>(std::stoi(address.substr(documentation.size())));
}

dns::Rcode rcode_from(const std::string& text) {
  using enum dns::Rcode;
  for (const dns::Rcode rcode : {noerror, servfail, nxdomain, notimp, refused}) {
    std::string name = dns::to_text(rcode);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    if (name == text || dns::to_text(rcode) == text) return rcode;
  }
  throw std::invalid_argument("no rcode: " + text);
}

/// The words behind the `=` of an `upstream NAME TYPE = …` line.
dns::KeptAnswer reply_from(const dns::Question& question, const Words& words) {
  dns::Rcode rcode = dns::Rcode::noerror;
  for (const std::string& word : words) {
    if (word == "nxdomain" || word == "servfail" || word == "notimp" || word == "refused")
      rcode = rcode_from(word);
  }
  cache::test::Reply reply{question, rcode};
  std::uint32_t ttl = 300;
  std::optional<dns::Ede> ede;
  const auto number = [](const std::string& text) {
    return static_cast<std::uint32_t>(std::stoul(text));
  };
  for (std::size_t at = 0; at < words.size(); ++at) {
    if (words[at] == "ttl") {
      ttl = number(words.at(++at));
    } else if (words[at] == "ede") {
      ede = static_cast<dns::Ede>(number(words.at(++at)));
    } else if (words[at] == "alias") {
      reply.alias(ttl, words.at(++at));
    } else if (words[at] == "soa") {
      reply.soa(number(words.at(at + 1)), number(words.at(at + 2)));
      at += 2;
    } else if (words[at].starts_with("192.")) {
      reply.address(ttl, last_octet(words[at]));
    } else if (rcode == dns::Rcode::noerror) {
      throw std::invalid_argument("not understood: " + words[at]);
    }
  }
  dns::KeptAnswer kept = reply.kept();
  kept.has_ede = ede.has_value();
  kept.ede = ede.value_or(dns::Ede::other);
  return kept;
}

class Scenario : public test_support::PipelineTest,
                 public ::testing::WithParamInterface<std::string> {
 protected:
  Scenario() {
    told.script = [this](transports::Ask ask, base::TimePoint deadline) {
      return reply(std::move(ask), deadline);
    };
  }
  ~Scenario() override { advance(std::chrono::seconds{10}); }  // what is under way ends

  void play(const std::string& line) {
    std::istringstream in{line.substr(0, line.find('#'))};
    Words words{std::istream_iterator<std::string>{in}, {}};
    if (words.empty()) return;
    const std::string verb = words.front();
    words.erase(words.begin());
    if (verb == "cache") return configure(line.substr(line.find("cache") + 5));
    if (verb == "upstream") return instruct(words);
    if (verb == "ask") return ask(words);
    if (verb == "expect") return expect(words);
    if (verb == "advance") return advance(duration_from(words.at(0)));
    if (verb == "restart") return restart(words);
    if (verb == "flush") return static_cast<void>(cache.flush());
    if (verb == "metric") {
      EXPECT_EQ(metrics.total(words.at(0)), std::stod(words.at(1))) << words.at(0);
      return;
    }
    throw std::invalid_argument("no such verb: " + verb);
  }

 private:
  /// Every key of [cache], read as the file is.
  void configure(const std::string& setting) {
    settings_[setting.substr(0, setting.find('='))] = setting;
    std::string section = "[cache]\n";
    for (const auto& [key, line] : settings_) section += line + '\n';
    auto loaded = conf::load_text(section, "scenario", ".");
    if (!loaded) throw std::invalid_argument(loaded.error().front().to_text());
    conf::Config next = config();
    next.cache = loaded->cache;
    snapshots.publish(std::make_shared<const Snapshot>(std::move(next), 1));
  }

  void restart(const Words& words) {
    const TemporaryDirectory state;
    cache::archive::Moment moment{1'800'000'000, base::seconds_of(base::Clock::now())};
    const auto always = [] { return true; };
    const auto saved = cache::archive::save(cache, state.file("cache.saved"), moment, always);
    if (!saved) throw std::runtime_error(saved.error());
    cache.flush();
    if (words.at(0) == "after") {
      const milliseconds passed = duration_from(words.at(1));
      advance(passed);
      moment.now = base::seconds_of(base::Clock::now());
      moment.unix_seconds += passed / std::chrono::seconds{1};
    } else {
      moment.unix_seconds -= duration_from(words.at(2)) / std::chrono::seconds{1};
    }
    const auto loaded = cache::archive::load(cache, state.file("cache.saved"),
                                             snapshots.current().config.cache, moment, always);
    EXPECT_EQ(loaded.damaged_blocks + loaded.damaged_entries, 0U);
  }

  void instruct(const Words& words) {
    if (words.at(0) == "answers" || words.at(0) == "silent") {
      silent_ = words[0] == "silent";
      delay_ = {};
    } else if (words[0] == "delays") {
      delay_ = duration_from(words.at(1));
    } else {
      if (words.at(2) != "=") throw std::invalid_argument("no `=` behind name and type");
      replies_[{words[0], words[1]}] =
          reply_from(question_from(words), {words.begin() + 3, words.end()});
    }
  }

  static dns::Question question_from(const Words& words) {
    const auto type = dns::type_from_text(words.at(1));
    if (!type) throw std::invalid_argument("no type: " + words[1]);
    return test_support::question_of(words.at(0), *type);
  }

  transports::Awaitable<base::Result<dns::KeptAnswer>> reply(transports::Ask ask,
                                                             base::TimePoint deadline) {
    if (silent_) {
      co_await test_support::wait_until(deadline);
      co_return test_support::silence();
    }
    if (delay_ != milliseconds{0}) co_await test_support::wait_until(base::Clock::now() + delay_);
    const auto told_reply =
        replies_.find({ask.question.name.to_text(), dns::to_text(ask.question.type)});
    if (told_reply == replies_.end()) co_return test_support::silence();
    co_return told_reply->second;
  }

  void ask(const Words& words) {
    transports::Query asking = query(question_from(words));
    asking.request.edns.dnssec_ok = std::ranges::contains(words, "do");
    if (std::ranges::contains(words, "cd")) asking.request.flags |= dns::flag::cd;
    asked_at_ = base::Clock::now();
    answered_at_ = asked_at_;
    asked_before_ = told.asked;
    late_.answers.clear();
    given_.reset();
    if (auto now = answer_now(asking)) {
      given_ = {std::move(*now), summary};
    } else {
      answer_late(asking, late_);
    }
    run();
  }

  void expect(const Words& words) {
    if (words.at(0) == "waiting") {
      EXPECT_FALSE(given_) << "answered, and should wait";
      return;
    }
    for (int waited = 0; !given_ && waited < 10'000; ++waited) advance(milliseconds{1});
    if (!given_) throw std::runtime_error("no answer within ten seconds");
    const dns::KeptAnswer answer = dns::keep_answer(given_->wire).value();
    EXPECT_EQ(dns::to_text(given_->summary.rcode), dns::to_text(rcode_from(words[0])));
    for (std::size_t at = 1; at + 1 < words.size(); at += 2) {
      const std::string& value = words[at + 1];
      if (words[at] == "address") {
        EXPECT_TRUE(holds(answer, last_octet(value))) << "no " << value << " in the answer";
      } else if (words[at] == "ttl") {
        EXPECT_EQ(std::to_string(dns::facts_of(answer.view()).least_ttl), value) << "TTL";
      } else if (words[at] == "source") {
        EXPECT_EQ(transports::to_text(given_->summary.source), value);
      } else if (words[at] == "ede") {
        const std::string ede =
            answer.has_ede ? std::to_string(static_cast<unsigned>(answer.ede)) : "none";
        EXPECT_EQ(ede, value) << "EDE " << answer.ede_text;
      } else if (words[at] == "asked") {
        EXPECT_EQ(std::to_string(told.asked - asked_before_), value) << "queries upstream";
      } else if (words[at] == "took") {
        const auto took = std::chrono::duration_cast<milliseconds>(answered_at_ - asked_at_);
        EXPECT_GE(took, duration_from(value));
        EXPECT_LE(took, duration_from(value) + upstreams::SetContext::tick);
      } else {
        throw std::invalid_argument("nothing to expect: " + words[at]);
      }
    }
  }

  static bool holds(const dns::KeptAnswer& answer, std::uint8_t octet) {
    const std::array<std::uint8_t, 6> rdata{0, 4, 192, 0, 2, octet};
    return !std::ranges::search(answer.wire, rdata).empty();
  }

  /// Everything that can happen at this moment happens. The kernel does not know of fake time: a
  /// timer that is due makes the loop look at all of them.
  void run() {
    boost::asio::basic_waitable_timer<base::Clock, boost::asio::wait_traits<base::Clock>,
                                      transports::Executor>
        due{context, base::TimePoint{std::chrono::seconds{1}}};
    bool looked = false;
    due.async_wait([&looked](boost::system::error_code) { looked = true; });
    context.restart();
    while (!looked) context.poll();
    context.restart();
    context.poll();
    if (given_ || late_.answers.empty()) return;
    given_ = late_.answers[0];
    answered_at_ = base::Clock::now();
  }

  void advance(base::Clock::duration by) {
    while (by > base::Clock::duration{0}) {
      const base::Clock::duration step =
          flights.size() != 0 ? std::min<base::Clock::duration>(by, milliseconds{1}) : by;
      clock_.advance(step);
      by -= step;
      run();
    }
  }

  test_support::ToldClock clock_;
  std::map<std::string, std::string> settings_;  // of [cache], by key
  std::map<std::pair<std::string, std::string>, dns::KeptAnswer> replies_;
  bool silent_ = false;
  milliseconds delay_{0};
  test_support::LateAnswers late_;
  std::optional<transports::Answer> given_;
  base::TimePoint asked_at_{};
  base::TimePoint answered_at_{};
  unsigned asked_before_ = 0;
};

TEST_P(Scenario, Plays) {
  const std::string path = folder / (GetParam() + ".txt");
  std::ifstream file{path};
  ASSERT_TRUE(file);
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    const ::testing::ScopedTrace trace{path.c_str(), ++number, line};
    try {
      play(line);
    } catch (const std::exception& error) {
      FAIL() << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(scenarios, Scenario, ::testing::ValuesIn(scenarios()),
                         [](const auto& scenario) { return scenario.param; });

}  // namespace
}  // namespace gateway
