// Durations and sizes as people write them.
#include "conf/units.h"

#include <gtest/gtest.h>

namespace conf {
namespace {

TEST(Units, DurationsAreAWholeNumberAndAUnit) {
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("30s"), 30s);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("12 h"), 12h);
  EXPECT_EQ(parse_duration("1d"), 24h);
  EXPECT_EQ(parse_duration("0s"), 0s);
  EXPECT_EQ(parse_duration("007s"), 7s);
}

TEST(Units, WhatIsTooLargeIsTheMostAndNeverWrapsAround) {
  EXPECT_EQ(parse_duration("10000d"), 240'000h);
  EXPECT_EQ(parse_duration("10001d"), 240'000h);
  EXPECT_EQ(parse_duration("213503982335d"), 240'000h);  // 2^64 milliseconds and a little
  EXPECT_EQ(parse_duration("99999999999999999999999999ms"), 240'000h);
  EXPECT_EQ(parse_size("16777216 TiB"), 1ULL << 60U);  // 2^64
  EXPECT_EQ(parse_size("18446744073709551616 B"), 1ULL << 60U);
}

TEST(Units, SizesAreBinary) {
  EXPECT_EQ(parse_size("0 B"), 0U);
  EXPECT_EQ(parse_size("100B"), 100U);
  EXPECT_EQ(parse_size("512KiB"), 512 * kibibyte);
  EXPECT_EQ(parse_size("64 MiB"), 64 * mebibyte);
  EXPECT_EQ(parse_size("1 GiB"), 1024 * mebibyte);
  EXPECT_EQ(parse_size("2TiB"), 2 * 1024 * 1024 * mebibyte);
}

TEST(Units, WhatIsNeitherIsRefused) {
  for (const auto* text : {"", " ", "s", "-1s", "+1s", " 1s", "1s ", "1  s", "1.5s", "1h30m", "1S",
                           "1 ms s", "ms", "1e3s", "0x1s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
  for (const auto* text :
       {"", "1", "MiB", "1MB", "1 mib", "1K", "1.5 GiB", "-1 B", "1 MiB ", "1  MiB"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Units, RefusalsSayWhatWasProbablyMeant) {
  EXPECT_EQ(parse_duration("3 Minutes").error().suggestion, "did you mean `\"3m\"`?");
  EXPECT_EQ(parse_duration("10S").error().suggestion, "did you mean `\"10s\"`?");
  EXPECT_EQ(parse_size("64MB").error().suggestion, "did you mean `\"64 MiB\"`?");
  EXPECT_EQ(parse_size("1 gb").error().suggestion, "did you mean `\"1 GiB\"`?");
  EXPECT_EQ(parse_size("9 bytes").error().suggestion, "did you mean `\"9B\"`?");
}

TEST(Units, ANumberGetsTheUnitThatFitsTheBounds) {
  const Bounds<std::chrono::milliseconds> bounds{1500ms, 50ms, 10s};
  EXPECT_EQ(with_likely_unit(2, bounds), "2s");
  EXPECT_EQ(with_likely_unit(200, bounds), "200ms");
  EXPECT_EQ(with_likely_unit(20, bounds), std::nullopt);
  EXPECT_EQ(with_likely_unit(0, bounds), std::nullopt);
  EXPECT_EQ(with_likely_unit(-2, bounds), std::nullopt);
  EXPECT_EQ(with_likely_unit(64, Cache::size_bounds), "64 MiB");
  EXPECT_EQ(with_likely_unit(67108864, Cache::size_bounds), "67108864 KiB");
  EXPECT_EQ(with_likely_unit(std::numeric_limits<std::int64_t>::max(), Cache::size_bounds),
            std::nullopt);
}

TEST(Units, AreReadAgainAsTheyArePrinted) {
  for (const std::chrono::milliseconds each : {0ms, 1ms, 999ms, 1000ms, 1500ms, 60'000ms, 90'000ms,
                                               3'600'000ms, 86'400'000ms, 864'000'000ms}) {
    EXPECT_EQ(parse_duration(duration_to_text(each)), each) << duration_to_text(each);
  }
  EXPECT_EQ(duration_to_text(90s), "90s");
  EXPECT_EQ(duration_to_text(48h), "2d");
  for (const std::uint64_t each :
       {0ULL, 1ULL, 1023ULL, 1024ULL, 1536ULL, 1ULL << 20U, 3ULL << 30U, 1ULL << 40U}) {
    EXPECT_EQ(parse_size(size_to_text(each)), each) << size_to_text(each);
  }
  EXPECT_EQ(size_to_text(1536), "1536 B");
  EXPECT_EQ(size_to_text(64 * mebibyte), "64 MiB");
}

}  // namespace
}  // namespace conf
