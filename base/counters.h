// The metrics registry. Each worker counts on a sheet of its own with plain loads and stores; a
// scrape sums the sheets. Prometheus text format 0.0.4.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace base {

/// Written by one thread, read by any.
class Counter {
 public:
  void add(std::uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// How many there are now. Written by one thread, read by any; a scrape adds the sheets' up.
class Gauge {
 public:
  void add() { value_.store(value() + 1, std::memory_order_relaxed); }
  void take_off() { value_.store(value() - 1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// A duration histogram with the registry's one set of bounds, 50 µs to 10 s. Written by one
/// thread.
class DurationHistogram {
 public:
  static constexpr std::array<double, 14> bounds_seconds{0.00005, 0.0001, 0.00025, 0.0005, 0.001,
                                                         0.0025,  0.005,  0.01,    0.025,  0.05,
                                                         0.1,     0.5,    2.0,     10.0};
  void observe(double seconds);
  [[nodiscard]] const std::array<Counter, bounds_seconds.size() + 1>& buckets() const {
    return buckets_;
  }
  [[nodiscard]] std::uint64_t sum_nanoseconds() const { return sum_nanoseconds_.value(); }

 private:
  std::array<Counter, bounds_seconds.size() + 1> buckets_;  // not cumulative; a scrape adds them up
  Counter sum_nanoseconds_;
};

/// Label names and values in the order in which they are printed.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// A metric as it is declared, once, in one table.
enum class MetricKind : std::uint8_t { counter, gauge, histogram };
struct MetricFamily {
  std::string_view name;  ///< with the prefix, e.g. "sallyport_queries_total"
  MetricKind kind;
  std::string_view help;
};

/// One worker's counters. Registering takes a lock and may allocate: keep the reference, count
/// through it. The same family and labels give the same counter. Throws std::logic_error for a
/// family that is not declared as such.
class MetricSheet {
 public:
  explicit MetricSheet(std::span<const MetricFamily> families) : families_(families) {}

  Counter& counter(std::string_view family, Labels labels = {});
  Gauge& gauge(std::string_view family, Labels labels = {});
  DurationHistogram& histogram(std::string_view family, Labels labels = {});

 private:
  friend class MetricRegistry;
  template <class Metric>
  struct Row {
    std::string family;
    Labels labels;
    Metric metric;
  };
  template <class Metric>
  Metric& find_or_add(std::deque<Row<Metric>>& rows, std::string_view family, Labels labels);

  std::span<const MetricFamily> families_;
  std::mutex mutex_;  // registration and scraping only
  std::deque<Row<Counter>> counters_;
  std::deque<Row<Gauge>> gauges_;
  std::deque<Row<DurationHistogram>> histograms_;
};

/// Owned by App. Families are declared once, with their help text, in one table
/// (gateway/admin/metrics_table).
class MetricRegistry {
 public:
  using Kind = MetricKind;
  using Family = MetricFamily;

  /// `families` outlives the registry.
  explicit MetricRegistry(std::span<const Family> families) : families_(families) {}

  /// A sheet lives as long as the registry.
  MetricSheet& add_sheet();
  /// `read` is called at each scrape, on the scraping thread; it must not call the registry.
  void add_gauge(std::string_view family, Labels labels, std::function<double()> read);
  /// A counter that somebody else keeps (the cache's, say); summed with nothing.
  void add_counter(std::string_view family, Labels labels, std::function<double()> read);
  /// Everything, in the order of the table, rows by their labels; a family without rows is left
  /// out.
  [[nodiscard]] std::string scrape() const;
  /// The sum of a family's rows whose labels include all of `labels` (a histogram's: how many were
  /// observed): for status and tests.
  [[nodiscard]] double total(std::string_view family, const Labels& labels = {}) const;

 private:
  struct Callback {
    std::string family;
    Labels labels;
    std::function<double()> read;
  };
  std::span<const Family> families_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<MetricSheet>> sheets_;
  std::vector<Callback> callbacks_;
};

}  // namespace base
