// Structured log lines and the thread that writes them. RFC 3339 (time), RFC 8259 (JSON).
#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <format>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "base/thread.h"
#include "base/utf8.h"

namespace base {
namespace {

using namespace std::chrono_literals;

/// One line with its newline. PIPE_BUF is 4096: a line up to that long enters a pipe whole or not
/// at all, so two programs that share one do not write into each other's lines. It also bounds the
/// queue's memory.
constexpr std::size_t line_most = 4096;
constexpr std::size_t tail_reserve = 8;  // an ellipsis, a quotation mark, a brace, a newline

/// Puts one line together and stops adding values when it is full.
class LineBuilder {
 public:
  explicit LineBuilder(LogFormat format) : json_(format == LogFormat::json) {}

  std::string line(LogLevel level, std::string_view message, std::span<const LogField> fields) && {
    const auto now =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    out_ = std::format("{}{:%FT%T}Z{}{}{}", json_ ? R"({"time":")" : "", now,
                       json_ ? R"(","level":")" : " ", to_text(level),
                       json_ ? R"(","message":")" : " ");
    escaped(message);
    if (json_) out_ += '"';
    for (const LogField& each : fields) field(each);
    out_ += json_ ? "}\n" : "\n";
    return std::move(out_);
  }

 private:
  void field(const LogField& field) {
    const std::size_t least = field.key.size() + (field.quoted ? 0 : field.value.size()) + 6;
    if (out_.size() + least + tail_reserve > line_most) return;
    const bool quotes = json_ ? field.quoted : needs_quotes(field.value);
    out_ += json_ ? std::format(R"(,"{}":)", field.key) : std::format(" {}=", field.key);
    if (quotes) out_ += '"';
    escaped(field.value);
    if (quotes) out_ += '"';
  }

  static bool needs_quotes(std::string_view value) {
    return value.empty() || std::ranges::any_of(value, [](char c) {
             const auto octet = static_cast<unsigned char>(c);
             return octet <= ' ' || octet >= 0x7f || c == '"' || c == '=' || c == '\\';
           });
  }

  /// Nothing that a terminal, a log collector or a JSON reader takes for the end of a line or of a
  /// value gets through.
  void escaped(std::string_view text) { append_escaped(out_, text, line_most - tail_reserve); }

  std::string out_;
  bool json_;
};

}  // namespace

std::optional<LogLevel> log_level_from_text(std::string_view text) {
  for (const auto& [level, name] : log_levels) {
    if (text == name) return level;
  }
  return std::nullopt;
}

/// What the callers and the writing thread share. The thread holds a reference of its own, so that
/// a log whose descriptor is stuck in write(2) can be given up without leaving the thread with
/// memory that is gone.
struct Log::Writer {
  explicit Writer(const Options& log_options) : options(log_options) {}

  const Options options;
  std::atomic<std::uint64_t> dropped{0};

  std::mutex mutex;
  std::condition_variable work;      // for the thread: lines, or the end
  std::condition_variable finished;  // for the destructor
  std::vector<std::string> queue;
  bool stopping = false;
  bool done = false;
  std::chrono::steady_clock::time_point give_up = std::chrono::steady_clock::time_point::max();

  void run();

 private:
  bool write_line(std::string_view line);
  bool wait_until_writable();
  void report_drops();

  std::uint64_t reported_ = 0;
  bool line_open_ = false;  // the descriptor failed inside a line: end that line first
};

void Log::Writer::run() {
  std::vector<std::string> lines;
  std::unique_lock lock(mutex);
  while (!stopping || !queue.empty()) {
    work.wait(lock, [this] { return stopping || !queue.empty(); });
    lines.swap(queue);
    lock.unlock();
    for (const std::string& line : lines) {
      if (write_line(line)) {
        report_drops();
      } else {
        dropped.fetch_add(1, std::memory_order_relaxed);
      }
    }
    lines.clear();
    lock.lock();
  }
  done = true;
  finished.notify_all();
}

bool Log::Writer::write_line(std::string_view line) {
  if (line_open_) {
    if (!wait_until_writable() || ::write(options.descriptor, "\n", 1) != 1) return false;
    line_open_ = false;
  }
  const std::size_t size = line.size();
  while (!line.empty()) {
    if (!wait_until_writable()) break;
    const ssize_t written = ::write(options.descriptor, line.data(), line.size());
    if (written > 0) {
      line.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0 || (errno != EINTR && errno != EAGAIN)) {
      break;
    }
  }
  line_open_ = !line.empty() && line.size() != size;
  return line.empty();
}

/// False when the log is being closed and its last second has passed.
bool Log::Writer::wait_until_writable() {
  for (;;) {
    pollfd poller{.fd = options.descriptor, .events = POLLOUT, .revents = 0};
    const int ready = ::poll(&poller, 1, 50);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;  // write(2) says what is wrong
    const std::lock_guard lock(mutex);
    if (std::chrono::steady_clock::now() >= give_up) return false;
  }
}

void Log::Writer::report_drops() {
  const std::uint64_t now = dropped.load(std::memory_order_relaxed);
  if (now == reported_) return;
  const LogField lost{"lines", now - reported_};
  if (write_line(LineBuilder{options.format}.line(LogLevel::warning, "log lines were dropped",
                                                  {&lost, 1}))) {
    reported_ = now;
  }
}

Log::Log(Options options) : level_(options.level), writer_(std::make_shared<Writer>(options)) {
  // Without signals: a closed pipe is EPIPE here and no reason to die.
  thread_ = start_without_signals([writer = writer_] { writer->run(); });
}

Log::~Log() {
  const auto give_up = std::chrono::steady_clock::now() + 1s;
  std::unique_lock lock(writer_->mutex);
  writer_->stopping = true;
  writer_->give_up = give_up;
  writer_->work.notify_one();
  const bool done =
      writer_->finished.wait_until(lock, give_up + 100ms, [this] { return writer_->done; });
  lock.unlock();
  if (done) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void Log::write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!enabled(level) || level == LogLevel::off) return;
  std::string line =
      LineBuilder{writer_->options.format}.line(level, message, {fields.begin(), fields.size()});
  const std::lock_guard lock(writer_->mutex);
  if (writer_->queue.size() >= writer_->options.queue_lines) {
    // Counted under the lock: what is still queued will be written after this, and then the loss is
    // reported.
    writer_->dropped.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  writer_->queue.push_back(std::move(line));
  writer_->work.notify_one();
}

std::uint64_t Log::dropped() const { return writer_->dropped.load(std::memory_order_relaxed); }

}  // namespace base
