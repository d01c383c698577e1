// The registry's sums and the Prometheus text format 0.0.4.
#include "base/counters.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <stdexcept>

namespace base {
namespace {

using enum MetricKind;

constexpr std::array<MetricFamily, 4> families{{
    {"t_queries_total", counter, "Queries received."},
    {"t_size_octets", gauge, "A help text with \\ and\na second line."},
    {"t_wait_seconds", histogram, "How long."},
    {"t_nothing_total", counter, "Never counted."},
}};

TEST(Counters, AScrapeSumsTheSheetsInTheOrderOfTheTable) {
  MetricRegistry registry{families};
  MetricSheet& one = registry.add_sheet();
  MetricSheet& two = registry.add_sheet();
  registry.add_gauge("t_size_octets", {}, [] { return 1.5; });
  two.counter("t_queries_total", {{"listener", "udp"}}).add(5);
  one.counter("t_queries_total", {{"listener", "udp"}}).add();
  one.counter("t_queries_total", {{"listener", "dot"}}).add(2);
  registry.add_counter("t_queries_total", {{"listener", "else"}}, [] { return 7.0; });
  EXPECT_EQ(registry.scrape(),
            "# HELP t_queries_total Queries received.\n"
            "# TYPE t_queries_total counter\n"
            "t_queries_total{listener=\"dot\"} 2\n"
            "t_queries_total{listener=\"else\"} 7\n"
            "t_queries_total{listener=\"udp\"} 6\n"
            "# HELP t_size_octets A help text with \\\\ and\\na second line.\n"
            "# TYPE t_size_octets gauge\n"
            "t_size_octets 1.5\n");
}

TEST(Counters, TheSameFamilyAndLabelsAreTheSameCounter) {
  MetricSheet sheet{families};
  Counter& first = sheet.counter("t_queries_total", {{"a", "b"}});
  EXPECT_EQ(&first, &sheet.counter("t_queries_total", {{"a", "b"}}));
  EXPECT_NE(&first, &sheet.counter("t_queries_total", {{"a", "c"}}));
}

TEST(Counters, LabelValuesAreEscaped) {
  MetricRegistry registry{families};
  registry.add_sheet().counter("t_queries_total", {{"name", "a\"b\\c\nd"}, {"x", ""}}).add();
  EXPECT_NE(registry.scrape().find("t_queries_total{name=\"a\\\"b\\\\c\\nd\",x=\"\"} 1\n"),
            std::string::npos);
}

TEST(Counters, AHistogramIsCumulativeAndEndsWithInfinity) {
  MetricRegistry registry{families};
  DurationHistogram& wait = registry.add_sheet().histogram("t_wait_seconds", {{"to", "x"}});
  wait.observe(0.00005);  // a bound belongs to its own bucket
  wait.observe(0.25);
  wait.observe(100);
  registry.add_sheet().histogram("t_wait_seconds", {{"to", "x"}}).observe(0.25);
  EXPECT_EQ(registry.scrape(),
            "# HELP t_wait_seconds How long.\n"
            "# TYPE t_wait_seconds histogram\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"5e-05\"} 1\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"1e-04\"} 1\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"0.00025\"} 1\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"5e-04\"} 1\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"0.001\"} 1\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"0.0025\"} 1\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"0.005\"} 1\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"0.01\"} 1\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"0.025\"} 1\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"0.05\"} 1\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"0.1\"} 1\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"0.5\"} 3\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"2\"} 3\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"10\"} 3\n"
            "t_wait_seconds_bucket{to=\"x\",le=\"+Inf\"} 4\n"
            "t_wait_seconds_sum{to=\"x\"} 100.50005\n"
            "t_wait_seconds_count{to=\"x\"} 4\n");
}

TEST(Counters, ADurationThatIsNoneCountsAsZero) {
  DurationHistogram wait;
  wait.observe(-1);
  wait.observe(std::numeric_limits<double>::quiet_NaN());
  wait.observe(std::numeric_limits<double>::infinity());
  EXPECT_EQ(wait.buckets().front().value(), 2U);
  EXPECT_EQ(wait.buckets().back().value(), 1U);
  EXPECT_EQ(wait.sum_nanoseconds(), 1'000'000'000ULL * 1'000'000'000ULL);
}

TEST(Counters, GaugesSayWhatIsNotFinite) {
  MetricRegistry registry{families};
  registry.add_gauge("t_size_octets", {{"v", "1"}},
                     [] { return std::numeric_limits<double>::infinity(); });
  registry.add_gauge("t_size_octets", {{"v", "2"}},
                     [] { return -std::numeric_limits<double>::infinity(); });
  registry.add_gauge("t_size_octets", {{"v", "3"}},
                     [] { return std::numeric_limits<double>::quiet_NaN(); });
  const std::string text = registry.scrape();
  EXPECT_NE(text.find("{v=\"1\"} +Inf\n"), std::string::npos);
  EXPECT_NE(text.find("{v=\"2\"} -Inf\n"), std::string::npos);
  EXPECT_NE(text.find("{v=\"3\"} NaN\n"), std::string::npos);
}

TEST(Counters, TotalsAddRowsThatIncludeTheLabels) {
  MetricRegistry registry{families};
  MetricSheet& sheet = registry.add_sheet();
  sheet.counter("t_queries_total", {{"listener", "udp"}, {"family", "4"}}).add(1);
  sheet.counter("t_queries_total", {{"listener", "udp"}, {"family", "6"}}).add(2);
  sheet.counter("t_queries_total", {{"listener", "dot"}, {"family", "6"}}).add(4);
  sheet.histogram("t_wait_seconds").observe(1);
  registry.add_counter("t_queries_total", {{"listener", "tcp"}}, [] { return 8.0; });
  EXPECT_EQ(registry.total("t_queries_total"), 15);
  EXPECT_EQ(registry.total("t_queries_total", {{"listener", "udp"}}), 3);
  EXPECT_EQ(registry.total("t_queries_total", {{"family", "6"}}), 6);
  EXPECT_EQ(registry.total("t_wait_seconds"), 1);
  EXPECT_EQ(registry.total("t_nothing_total"), 0);
}

TEST(Counters, WhatIsNotDeclaredCannotBeCounted) {
  MetricRegistry registry{families};
  MetricSheet& sheet = registry.add_sheet();
  EXPECT_THROW(sheet.counter("t_querys_total"), std::logic_error);
  EXPECT_THROW(sheet.counter("t_wait_seconds"), std::logic_error);
  EXPECT_THROW(sheet.histogram("t_queries_total"), std::logic_error);
  EXPECT_THROW(registry.add_gauge("t_queries_total", {}, [] { return 0.0; }), std::logic_error);
  EXPECT_THROW(sheet.counter("t_queries_total", {{"le", "1"}}), std::logic_error);
  EXPECT_THROW(sheet.counter("t_queries_total", {{"a-b", "1"}}), std::logic_error);
}

}  // namespace
}  // namespace base
