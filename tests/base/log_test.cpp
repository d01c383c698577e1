// Log lines: their form, that none can be forged, and that a stuck descriptor holds nobody up.
#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <memory>
#include <regex>
#include <string>
#include <thread>
#include <vector>

namespace base {
namespace {

/// A pipe whose reading end never waits longer than ten seconds.
class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] int writer() const { return ends_[1]; }
  void close_reader() { close(ends_[0]); }
  void close_writer() { close(ends_[1]); }

  /// Up to the next line feed, which is left out; empty at the end.
  std::string line() {
    for (;;) {
      if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
        std::string result = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return result;
      }
      pollfd poller{.fd = ends_[0], .events = POLLIN, .revents = 0};
      std::array<char, 65536> chunk;
      if (::poll(&poller, 1, 10'000) <= 0) return "nothing came within ten seconds";
      const ssize_t size = ::read(ends_[0], chunk.data(), chunk.size());
      if (size <= 0) return std::exchange(buffer_, {});
      buffer_.append(chunk.data(), static_cast<std::size_t>(size));
    }
  }

 private:
  static void close(int& descriptor) {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = -1;
  }

  std::array<int, 2> ends_{};
  std::string buffer_;
};

/// The one line that `message` and `fields` make, without its time.
std::string one(LogFormat format, std::string_view message,
                std::initializer_list<LogField> fields) {
  Pipe pipe;
  Log log({.format = format, .descriptor = pipe.writer()});
  log.warning(message, fields);
  const std::string line = pipe.line();
  const std::size_t time = line.find('Z');
  return time == std::string::npos ? line : line.substr(time + 1);
}

TEST(Log, ATextLineIsTimeLevelMessageAndFields) {
  Pipe pipe;
  Log log({.descriptor = pipe.writer()});
  log.info("listener started", {{"address", "127.0.0.1:53"}, {"workers", 2}, {"tls", true}});
  const std::string line = pipe.line();
  EXPECT_TRUE(std::regex_match(
      line,
      std::regex(
          R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info listener started address=127\.0\.0\.1:53 workers=2 tls=true)")))
      << line;
}

TEST(Log, AJsonLineIsOneObject) {
  Pipe pipe;
  Log log({.format = LogFormat::json, .descriptor = pipe.writer()});
  log.info("listener started", {{"address", "127.0.0.1:53"}, {"workers", 2}, {"tls", true}});
  const std::string line = pipe.line();
  EXPECT_TRUE(std::regex_match(
      line,
      std::regex(
          R"(\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"info","message":"listener started",)"
          R"("address":"127\.0\.0\.1:53","workers":2,"tls":true\})")))
      << line;
}

TEST(Log, TextValuesAreQuotedWhenTheyCouldBeMisread) {
  EXPECT_EQ(
      one(LogFormat::text, "m",
          {{"a", ""}, {"b", "x y"}, {"c", "x=y"}, {"d", "\"x\""}, {"e", "\\"}, {"f", "plain"}}),
      R"( warning m a="" b="x y" c="x=y" d="\"x\"" e="\\" f=plain)");
}

TEST(Log, NoValueCanForgeALine) {
  EXPECT_EQ(one(LogFormat::text, "m\nx",
                {{"a", "1\n2\r3\t4\x1b[2J\x7f\xc2\x85\xe2\x80\xa8\xe2\x80\xae\xff"}}),
            R"( warning m\nx a="1\n2\r3\t4\u001b[2J\u007f\u0085\u2028\u202e\ufffd")");
  EXPECT_EQ(one(LogFormat::json, "m\nx", {{"a", "1\n2\"\\\x1b\xe2\x80\xa8\xff\xc3\xa9"}}),
            "\",\"level\":\"warning\",\"message\":\"m\\nx\",\"a\":"
            "\"1\\n2\\\"\\\\\\u001b\\u2028\\ufffd\xc3\xa9\"}");
}

TEST(Log, LongValuesAreCutAndTheLineStaysWhole) {
  const std::string value(10'000, '"');
  for (const auto format : {LogFormat::text, LogFormat::json}) {
    const std::string line = one(format, "m", {{"a", value}, {"b", value}, {"c", 1}});
    EXPECT_LT(line.size(), 4096U);
    EXPECT_GT(line.size(), 4000U);
    EXPECT_TRUE(line.ends_with(format == LogFormat::json ? "\xe2\x80\xa6\"}" : "\xe2\x80\xa6\""))
        << line.substr(line.size() - 20);
  }
}

TEST(Log, LevelsAreObeyedAndMayChange) {
  Pipe pipe;
  Log log({.level = LogLevel::warning, .descriptor = pipe.writer()});
  log.info("not this");
  log.write(LogLevel::off, "nor this");
  log.set_level(LogLevel::debug);
  EXPECT_TRUE(log.enabled(LogLevel::debug));
  log.debug("this");
  EXPECT_TRUE(pipe.line().ends_with("Z debug this"));
}

TEST(Log, LevelsHaveNames) {
  for (const auto& [level, name] : log_levels) EXPECT_EQ(log_level_from_text(name), level);
  EXPECT_EQ(log_level_from_text("Info"), std::nullopt);
  EXPECT_EQ(log_level_from_text("warn"), std::nullopt);
}

TEST(Log, LinesOfAllThreadsArriveWhole) {
  Pipe pipe;
  constexpr int threads = 4;
  constexpr int lines = 500;
  {
    Log log({.descriptor = pipe.writer()});
    std::vector<std::thread> writers;
    for (int t = 0; t < threads; ++t) {
      writers.emplace_back([&log] {
        for (int i = 0; i < lines; ++i) log.info("line", {{"number", i}});
      });
    }
    for (int i = 0; i < threads * lines; ++i) {
      EXPECT_TRUE(std::regex_match(pipe.line(), std::regex(R"(\S+Z info line number=\d+)")));
    }
    for (auto& writer : writers) writer.join();
    EXPECT_EQ(log.dropped(), 0U);
  }
}

TEST(Log, AFullPipeCostsLinesWhichAreCountedAndTheLogGoesOnAfterwards) {
  Pipe pipe;
  ::fcntl(pipe.writer(), F_SETPIPE_SZ, 4096);
  Log log({.descriptor = pipe.writer(), .queue_lines = 8});
  constexpr std::uint64_t lines = 400;
  for (std::uint64_t i = 0; i < lines; ++i) log.info("line", {{"filler", std::string(60, 'x')}});
  EXPECT_GT(log.dropped(), 0U);  // and nobody was held up, or the loop would not have ended

  std::uint64_t seen = 0;
  std::uint64_t reported = 0;
  while (seen + reported < lines) {
    const std::string line = pipe.line();
    const std::size_t count = line.find(" warning log lines were dropped lines=");
    if (count == std::string::npos) {
      ASSERT_TRUE(line.contains(" info line ")) << line;
      ++seen;
    } else {
      reported += std::stoull(line.substr(line.rfind('=') + 1));
    }
  }
  EXPECT_EQ(reported, log.dropped());
  log.info("afterwards");
  EXPECT_TRUE(pipe.line().ends_with("Z info afterwards"));
}

TEST(Log, AClosedPipeIsNoReasonToDie) {
  Pipe pipe;
  pipe.close_reader();
  auto log = std::make_unique<Log>(Log::Options{.descriptor = pipe.writer()});
  log->info("nobody reads this");
  while (log->dropped() == 0) std::this_thread::yield();  // bounded by the test's own time limit
  EXPECT_EQ(log->dropped(), 1U);
}

TEST(Log, ADescriptorThatFailsIsUsedAgainWhenItWorks) {
  Pipe pipe;
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  {
    Log log({.descriptor = full});
    log.info("no space left");
    while (log.dropped() == 0) std::this_thread::yield();
    ASSERT_EQ(::dup2(pipe.writer(), full), full);
    log.info("space again");
    EXPECT_TRUE(pipe.line().ends_with("Z info space again"));
    EXPECT_TRUE(pipe.line().ends_with("Z warning log lines were dropped lines=1"));
  }
  ::close(full);
}

TEST(Log, WhatIsQueuedIsWrittenAtTheEnd) {
  Pipe pipe;
  {
    Log log({.descriptor = pipe.writer()});
    for (int i = 0; i < 10; ++i) log.info("line", {{"number", i}});
  }
  pipe.close_writer();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(pipe.line().ends_with("number=" + std::to_string(i)));
  EXPECT_EQ(pipe.line(), "");
}

TEST(Log, EndsAlthoughNobodyReads) {
  Pipe pipe;
  ::fcntl(pipe.writer(), F_SETPIPE_SZ, 4096);
  Log log({.descriptor = pipe.writer()});
  for (int i = 0; i < 400; ++i) log.info("line", {{"filler", std::string(60, 'x')}});
}  // the test's own time limit is the assertion

}  // namespace
}  // namespace base
