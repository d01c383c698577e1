// The metrics registry: registration, summing, and the Prometheus text format 0.0.4.
#include "base/counters.h"

#include <algorithm>
#include <cmath>
#include <format>
#include <iterator>
#include <limits>
#include <stdexcept>

namespace base {
namespace {

using Kind = MetricRegistry::Kind;

constexpr std::string_view to_text(Kind kind) {
  switch (kind) {
    case Kind::counter: return "counter";
    case Kind::gauge: return "gauge";
    case Kind::histogram: return "histogram";
  }
  std::unreachable();
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return std::format("{}", value);
}

/// A help text escapes the backslash and the line feed, a label value the quotation mark as well.
std::string escaped(std::string_view text, bool quotation_marks) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || (quotation_marks && c == '"')) out += '\\';
    out += c;
  }
  return out;
}

/// `{a="b",c="d"}`, or nothing without labels.
std::string label_text(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    out += std::format("{}{}=\"{}\"", out.empty() ? '{' : ',', name, escaped(value, true));
  }
  return out.empty() ? out : out + '}';
}

bool is_label_name(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && letter(name.front()) && name != "le" && !name.starts_with("__") &&
         std::ranges::all_of(name,
                             [letter](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

/// A misspelt family would be counted and never shown; registration is part of starting up, so it
/// may throw.
void check_declared(std::span<const MetricRegistry::Family> families, std::string_view name,
                    Kind kind, const Labels& labels) {
  const auto family = std::ranges::find(families, name, &MetricRegistry::Family::name);
  if (family == families.end())
    throw std::logic_error(std::format("metric {} is not declared", name));
  if (family->kind != kind) {
    throw std::logic_error(
        std::format("metric {} is a {}, not a {}", name, to_text(family->kind), to_text(kind)));
  }
  for (const auto& [label, value] : labels) {
    if (!is_label_name(label))
      throw std::logic_error(std::format("metric {}: bad label name `{}`", name, label));
  }
}

bool includes(const Labels& row, const Labels& wanted) {
  return std::ranges::all_of(
      wanted, [&row](const auto& label) { return std::ranges::contains(row, label); });
}

/// A histogram's rows of several sheets added up.
struct HistogramSum {
  std::array<std::uint64_t, DurationHistogram::bounds_seconds.size() + 1> buckets{};
  std::uint64_t nanoseconds = 0;

  void add(const DurationHistogram& histogram) {
    for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += histogram.buckets()[i].value();
    nanoseconds += histogram.sum_nanoseconds();
  }

  void print(std::string& out, std::string_view family, const Labels& labels) const {
    std::uint64_t so_far = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      so_far += buckets[i];
      const bool last = i == DurationHistogram::bounds_seconds.size();
      Labels with_bound = labels;
      with_bound.emplace_back("le", last ? "+Inf" : number(DurationHistogram::bounds_seconds[i]));
      std::format_to(std::back_inserter(out), "{}_bucket{} {}\n", family, label_text(with_bound),
                     so_far);
    }
    const std::string rest = label_text(labels);
    std::format_to(std::back_inserter(out), "{}_sum{} {}\n", family, rest,
                   number(static_cast<double>(nanoseconds) / 1e9));
    std::format_to(std::back_inserter(out), "{}_count{} {}\n", family, rest, so_far);
  }
};

}  // namespace

void DurationHistogram::observe(double seconds) {
  if (!(seconds > 0)) seconds = 0;  // also what is not a number
  const auto bound = std::ranges::lower_bound(bounds_seconds, seconds);
  buckets_[static_cast<std::size_t>(bound - bounds_seconds.begin())].add();
  constexpr double most = 1e9;  // seconds; keeps the sum of nanoseconds inside 64 bits
  sum_nanoseconds_.add(static_cast<std::uint64_t>(std::min(seconds, most) * 1e9));
}

template <class Metric>
Metric& MetricSheet::find_or_add(std::deque<Row<Metric>>& rows, std::string_view family,
                                 Labels labels) {
  const std::lock_guard lock(mutex_);
  for (Row<Metric>& row : rows) {
    if (row.family == family && row.labels == labels) return row.metric;
  }
  Row<Metric>& row = rows.emplace_back();
  row.family = family;
  row.labels = std::move(labels);
  return row.metric;
}

Counter& MetricSheet::counter(std::string_view family, Labels labels) {
  check_declared(families_, family, Kind::counter, labels);
  return find_or_add(counters_, family, std::move(labels));
}

Gauge& MetricSheet::gauge(std::string_view family, Labels labels) {
  check_declared(families_, family, Kind::gauge, labels);
  return find_or_add(gauges_, family, std::move(labels));
}

DurationHistogram& MetricSheet::histogram(std::string_view family, Labels labels) {
  check_declared(families_, family, Kind::histogram, labels);
  return find_or_add(histograms_, family, std::move(labels));
}

MetricSheet& MetricRegistry::add_sheet() {
  const std::lock_guard lock(mutex_);
  return *sheets_.emplace_back(std::make_unique<MetricSheet>(families_));
}

void MetricRegistry::add_gauge(std::string_view family, Labels labels,
                               std::function<double()> read) {
  check_declared(families_, family, Kind::gauge, labels);
  const std::lock_guard lock(mutex_);
  callbacks_.push_back({std::string{family}, std::move(labels), std::move(read)});
}

void MetricRegistry::add_counter(std::string_view family, Labels labels,
                                 std::function<double()> read) {
  check_declared(families_, family, Kind::counter, labels);
  const std::lock_guard lock(mutex_);
  callbacks_.push_back({std::string{family}, std::move(labels), std::move(read)});
}

std::string MetricRegistry::scrape() const {
  std::string out;
  const std::lock_guard lock(mutex_);
  for (const Family& family : families_) {
    std::map<Labels, double> numbers;
    std::map<Labels, HistogramSum> histograms;
    for (const auto& sheet : sheets_) {
      const std::lock_guard sheet_lock(sheet->mutex_);
      const auto add = [&](const auto& rows) {
        for (const auto& row : rows) {
          if (row.family == family.name)
            numbers[row.labels] += static_cast<double>(row.metric.value());
        }
      };
      add(sheet->counters_);
      add(sheet->gauges_);
      for (const auto& row : sheet->histograms_) {
        if (row.family == family.name) histograms[row.labels].add(row.metric);
      }
    }
    for (const Callback& callback : callbacks_) {
      if (callback.family == family.name) numbers[callback.labels] += callback.read();
    }
    if (numbers.empty() && histograms.empty()) continue;
    std::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} {2}\n", family.name,
                   escaped(family.help, false), to_text(family.kind));
    for (const auto& [labels, value] : numbers) {
      std::format_to(std::back_inserter(out), "{}{} {}\n", family.name, label_text(labels),
                     number(value));
    }
    for (const auto& [labels, sum] : histograms) sum.print(out, family.name, labels);
  }
  return out;
}

double MetricRegistry::total(std::string_view family, const Labels& labels) const {
  double sum = 0;
  const std::lock_guard lock(mutex_);
  for (const auto& sheet : sheets_) {
    const std::lock_guard sheet_lock(sheet->mutex_);
    const auto add = [&](const auto& rows) {
      for (const auto& row : rows) {
        if (row.family == family && includes(row.labels, labels))
          sum += static_cast<double>(row.metric.value());
      }
    };
    add(sheet->counters_);
    add(sheet->gauges_);
    for (const auto& row : sheet->histograms_) {
      if (row.family != family || !includes(row.labels, labels)) continue;
      for (const Counter& bucket : row.metric.buckets()) sum += static_cast<double>(bucket.value());
    }
  }
  for (const Callback& callback : callbacks_) {
    if (callback.family == family && includes(callback.labels, labels)) sum += callback.read();
  }
  return sum;
}

}  // namespace base
