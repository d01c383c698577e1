// The table of metric families keeps Prometheus' conventions, and the folder's README lists every
// row of it.
#include "gateway/admin/metrics_table.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <format>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "gateway/admin/process_metrics.h"

namespace gateway::admin {
namespace {

using Kind = base::MetricRegistry::Kind;

std::string_view to_text(Kind kind) {
  constexpr std::string_view names[] = {"counter", "gauge", "histogram"};
  return names[static_cast<std::size_t>(kind)];
}

std::string row_of_readme(const MetricRow& row) {
  return std::format("| `{}` | {} | {} | {} |", row.family.name, to_text(row.family.kind),
                     row.labels, row.family.help);
}

TEST(MetricsTable, NamesAreUniqueAndKeepTheConventions) {
  std::set<std::string_view> names;
  for (const MetricRow& row : metric_table) {
    const std::string_view name = row.family.name;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_TRUE(name.starts_with("sallyport_") || name.starts_with("process_")) << name;
    EXPECT_EQ(name.ends_with("_total"), row.family.kind == Kind::counter) << name;
    if (row.family.kind == Kind::histogram) EXPECT_TRUE(name.ends_with("_seconds")) << name;
    EXPECT_TRUE(row.family.help.ends_with('.')) << name;
  }
}

TEST(MetricsTable, TheReadmeListsEveryFamily) {
  std::ifstream file("gateway/admin/README.md");
  std::stringstream readme;
  readme << file.rdbuf();
  ASSERT_TRUE(file) << "tests run in the checkout's root";
  for (const MetricRow& row : metric_table) {
    EXPECT_TRUE(readme.str().contains(row_of_readme(row) + '\n'))
        << "missing: " << row_of_readme(row);
  }
}

TEST(MetricsTable, TheReadmeListsNothingElse) {
  std::ifstream readme("gateway/admin/README.md");
  std::size_t listed = 0;
  for (std::string line; std::getline(readme, line);) {
    listed += line.starts_with("| `sallyport_") || line.starts_with("| `process_");
  }
  EXPECT_EQ(listed, std::size(metric_table));
}

/// Every "sallyport_..." literal of the sources, but for those of the table itself.
std::set<std::string> counted_families() {
  std::set<std::string> found;
  const std::regex literal("\"(sallyport_[a-z_]+)\"");
  for (const char* folder : {"base", "cache", "certs", "transports", "gateway"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.path().extension() != ".cpp") continue;
      std::stringstream source;
      source << std::ifstream(entry.path()).rdbuf();
      const std::string text = source.str();
      for (std::sregex_iterator match(text.begin(), text.end(), literal), end; match != end;
           ++match) {
        found.insert((*match)[1].str());
      }
    }
  }
  return found;
}

TEST(MetricsTable, HasWhatIsCountedAndNothingElse) {
  std::set<std::string> table;
  for (const MetricRow& row : metric_table) {
    if (row.family.name.starts_with("sallyport_")) table.emplace(row.family.name);
  }
  EXPECT_EQ(counted_families(), table);
}

TEST(ProcessMetrics, AreScrapedWithTheirValues) {
  base::MetricRegistry registry(metric_families);
  add_process_metrics(registry, "1.2.3");
  EXPECT_TRUE(registry.scrape().contains("sallyport_build_info{version=\"1.2.3\"} 1\n"))
      << registry.scrape();
  EXPECT_GT(registry.total("process_resident_memory_bytes"), 100'000);
  EXPECT_GE(registry.total("process_open_fds"), 3);
  EXPECT_GE(registry.total("process_max_fds"), registry.total("process_open_fds"));
  EXPECT_GT(registry.total("process_start_time_seconds"), 1.7e9);
  EXPECT_GE(registry.total("process_cpu_seconds_total"), 0);
}

}  // namespace
}  // namespace gateway::admin
