// Structured log lines, written by a thread of their own so that a full disk or a blocked pipe
// never holds up a query: when its queue is full, lines are dropped and counted. Never called on
// the hot path.
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace base {

enum class LogLevel : std::uint8_t { debug, info, warning, error, off };
enum class LogFormat : std::uint8_t { text, json };

/// All of them, least severe first, as they are written in configuration and in the lines.
inline constexpr std::array<std::pair<LogLevel, std::string_view>, 5> log_levels{
    {{LogLevel::debug, "debug"},
     {LogLevel::info, "info"},
     {LogLevel::warning, "warning"},
     {LogLevel::error, "error"},
     {LogLevel::off, "off"}}};

constexpr std::string_view to_text(LogLevel level) {
  return log_levels[static_cast<std::size_t>(level)].second;
}
std::optional<LogLevel> log_level_from_text(std::string_view text);

/// One key and its value. Values are escaped by the writer; a key is a literal in snake_case.
struct LogField {
  LogField(std::string_view field_key, std::string_view text) : key(field_key), value(text) {}
  LogField(std::string_view field_key, const char* text) : key(field_key), value(text) {}
  LogField(std::string_view field_key, std::string text) : key(field_key), value(std::move(text)) {}
  LogField(std::string_view field_key, bool flag)
      : key(field_key), value(flag ? "true" : "false"), quoted(false) {}
  LogField(std::string_view field_key, std::integral auto number)
      : key(field_key), value(std::to_string(number)), quoted(false) {}

  std::string_view key;
  std::string value;
  bool quoted = true;  ///< in JSON: a string and not a number or a truth value
};

/// Owned by App, first in and last out. Thread-safe. A line is at most 4096 octets: longer values
/// are cut and end in "…".
class Log {
 public:
  struct Options {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::text;
    int descriptor = 2;              ///< not owned; standard error unless a file was opened
    std::size_t queue_lines = 4096;  ///< beyond this, lines are dropped and counted
  };

  explicit Log(Options options);
  ~Log();  ///< writes what is queued, for little more than one second at most
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  [[nodiscard]] bool enabled(LogLevel level) const {
    return level >= level_.load(std::memory_order_relaxed);
  }

  /// `message` is a sentence without values in it; those are fields: log.info("listener started",
  /// {{"address", …}}).
  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
  void debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::debug, message, fields);
  }
  void info(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::info, message, fields);
  }
  void warning(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::warning, message, fields);
  }
  void error(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::error, message, fields);
  }

  /// Lines that were not written: the queue was full, or the descriptor failed.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  struct Writer;
  std::atomic<LogLevel> level_;
  std::shared_ptr<Writer>
      writer_;  // shared with the thread, which may be stuck in write(2) when the log ends
  std::thread thread_;
};

}  // namespace base
