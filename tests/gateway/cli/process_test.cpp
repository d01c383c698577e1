// What the process asks of the kernel: pages that only a start needed are given back.
#include "gateway/cli/process.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace gateway::cli {
namespace {

/// KiB of the program's file that are mapped just now: RssFile of /proc/self/status, proc(5).
long resident_file_kib() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word)
    if (long kib = 0; word == "RssFile:" && status >> kib) return kib;
  return -1;
}

TEST(ReleaseStartPages, UnmapsWhatRanAndLeavesTheProgramAsItWas) {
  static const std::string before = "a constructed value";
  const long mapped = resident_file_kib();
  ASSERT_GT(mapped, 0);

  release_start_pages();

  EXPECT_LT(resident_file_kib(), mapped);
  EXPECT_EQ(before, "a constructed value");
  release_start_pages();  // once more does no harm
}

}  // namespace
}  // namespace gateway::cli
