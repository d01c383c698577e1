// Durations and sizes as people write them: "250ms", "30s", "64 MiB". Nobody owns them.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "conf/config.h"

namespace conf {

/// Why a text or a value is refused, and what to write instead (may be empty).
struct Refusal {
  std::string message;
  std::string suggestion;
};

/// A whole number and one of ms, s, m, h, d, with at most a space between them. What is longer than
/// 10,000 days is 10,000 days, which no bounds allow.
std::expected<std::chrono::milliseconds, Refusal> parse_duration(std::string_view text);
/// A whole number and one of B, KiB, MiB, GiB, TiB, likewise up to 1 EiB. Decimal units are
/// refused: whoever writes MB rarely means 10^6.
std::expected<std::uint64_t, Refusal> parse_size(std::string_view text);

/// The number with a unit that puts it between the bounds, for a number without one; nothing when
/// none does.
std::optional<std::string> with_likely_unit(std::int64_t number,
                                            Bounds<std::chrono::milliseconds> bounds);
std::optional<std::string> with_likely_unit(std::int64_t number, Bounds<std::uint64_t> bounds);

/// The largest unit that divides it: "90s", "2m", "1d", "0s".
std::string duration_to_text(std::chrono::milliseconds duration);
std::string size_to_text(std::uint64_t octets);

}  // namespace conf
