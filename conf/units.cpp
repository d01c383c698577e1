// Durations and sizes as people write them.
#include "conf/units.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <format>
#include <optional>
#include <span>
#include <utility>

namespace conf {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 5> durations{
    {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 5> sizes{{{"B", 1},
                                     {"KiB", 1ULL << 10U},
                                     {"MiB", 1ULL << 20U},
                                     {"GiB", 1ULL << 30U},
                                     {"TiB", 1ULL << 40U}}};

constexpr std::uint64_t duration_most = 10'000 * durations.back().factor;
constexpr std::uint64_t size_most = 1ULL << 60U;

/// What else people write for a unit, in small letters.
struct Synonym {
  std::string_view written;
  std::string_view unit;
};

constexpr std::array<Synonym, 16> duration_synonyms{{
    {"msec", "ms"},
    {"millis", "ms"},
    {"milliseconds", "ms"},
    {"sec", "s"},
    {"secs", "s"},
    {"second", "s"},
    {"seconds", "s"},
    {"min", "m"},
    {"mins", "m"},
    {"minute", "m"},
    {"minutes", "m"},
    {"hr", "h"},
    {"hour", "h"},
    {"hours", "h"},
    {"day", "d"},
    {"days", "d"},
}};
constexpr std::array<Synonym, 14> size_synonyms{{
    {"byte", "B"},
    {"bytes", "B"},
    {"k", "KiB"},
    {"kb", "KiB"},
    {"kib", "KiB"},
    {"m", "MiB"},
    {"mb", "MiB"},
    {"mib", "MiB"},
    {"g", "GiB"},
    {"gb", "GiB"},
    {"gib", "GiB"},
    {"t", "TiB"},
    {"tb", "TiB"},
    {"tib", "TiB"},
}};

std::string lowered(std::string_view text) {
  std::string out{text};
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  });
  return out;
}

struct Quantity {
  std::string_view noun;      ///< "a duration"
  std::string_view examples;  ///< of how to write one
  std::span<const Unit> units;
  std::span<const Synonym> synonyms;
  std::uint64_t most;

  [[nodiscard]] std::optional<std::string_view> meant(std::string_view unit) const {
    const std::string small = lowered(unit);
    for (const Unit& each : units) {
      if (lowered(each.name) == small) return each.name;
    }
    const auto synonym = std::ranges::find(synonyms, std::string_view{small}, &Synonym::written);
    return synonym == synonyms.end() ? std::nullopt : std::optional{synonym->unit};
  }

  [[nodiscard]] std::expected<std::uint64_t, Refusal> parse(std::string_view text) const;
};

std::expected<std::uint64_t, Refusal> Quantity::parse(std::string_view text) const {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument) {
    return std::unexpected(Refusal{std::format("`{}` is not {}", text, noun),
                                   std::format("write it like {}", examples)});
  }
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  const auto known = std::ranges::find(units, unit, &Unit::name);
  if (known == units.end()) {
    if (unit.empty()) {
      return std::unexpected(Refusal{std::format("`{}` has no unit", text),
                                     std::format("write it like {}", examples)});
    }
    if (const auto name = meant(unit)) {
      return std::unexpected(Refusal{
          std::format("`{}` is not a unit of {}", unit, noun),
          std::format("did you mean `\"{}{}{}\"`?", number, name->size() > 2 ? " " : "", *name)});
    }
    return std::unexpected(Refusal{std::format("`{}` is not {}", text, noun),
                                   std::format("a whole number and one unit, like {}", examples)});
  }
  if (error == std::errc::result_out_of_range || number > most / known->factor) return most;
  return number * known->factor;
}

constexpr Quantity duration_quantity{"a duration",
                                     "`\"250ms\"`, `\"30s\"`, `\"5m\"`, `\"12h\"` or `\"1d\"`",
                                     durations, duration_synonyms, duration_most};
constexpr Quantity size_quantity{"a size", "`\"512 KiB\"`, `\"64 MiB\"` or `\"1 GiB\"`", sizes,
                                 size_synonyms, size_most};

const Unit& largest_divisor(std::span<const Unit> units, std::uint64_t value) {
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) best = &unit;
  }
  return *best;
}

/// `likely` are positions in `units`, the likeliest first.
std::optional<std::uint64_t> likely_factor(std::int64_t number, std::uint64_t least,
                                           std::uint64_t most, std::span<const Unit> units,
                                           std::span<const std::size_t> likely) {
  for (const std::size_t position : likely) {
    const std::uint64_t factor = units[position].factor;
    const bool inside = number > 0 && std::cmp_less_equal(number, most / factor) &&
                        static_cast<std::uint64_t>(number) * factor >= least;
    if (inside) return factor;
  }
  return std::nullopt;
}

}  // namespace

std::expected<std::chrono::milliseconds, Refusal> parse_duration(std::string_view text) {
  return duration_quantity.parse(text).transform(
      [](std::uint64_t count) { return std::chrono::milliseconds{count}; });
}

std::expected<std::uint64_t, Refusal> parse_size(std::string_view text) {
  return size_quantity.parse(text);
}

std::optional<std::string> with_likely_unit(std::int64_t number,
                                            Bounds<std::chrono::milliseconds> bounds) {
  constexpr std::array<std::size_t, 5> likely{1, 0, 2, 3, 4};  // seconds before milliseconds
  const auto factor =
      likely_factor(number, static_cast<std::uint64_t>(bounds.least.count()),
                    static_cast<std::uint64_t>(bounds.most.count()), durations, likely);
  return factor.transform([number](std::uint64_t each) {
    return std::format("{}{}", number, std::ranges::find(durations, each, &Unit::factor)->name);
  });
}

std::optional<std::string> with_likely_unit(std::int64_t number, Bounds<std::uint64_t> bounds) {
  constexpr std::array<std::size_t, 5> likely{2, 1, 3, 0, 4};  // mebibytes first
  const auto factor = likely_factor(number, bounds.least, bounds.most, sizes, likely);
  return factor.transform([number](std::uint64_t each) {
    return std::format("{} {}", number, std::ranges::find(sizes, each, &Unit::factor)->name);
  });
}

std::string duration_to_text(std::chrono::milliseconds duration) {
  if (duration.count() == 0) return "0s";
  const auto count = static_cast<std::uint64_t>(duration.count());
  const Unit& unit = largest_divisor(durations, count);
  return std::format("{}{}", count / unit.factor, unit.name);
}

std::string size_to_text(std::uint64_t octets) {
  if (octets == 0) return "0 B";
  const Unit& unit = largest_divisor(sizes, octets);
  return std::format("{} {}", octets / unit.factor, unit.name);
}

}  // namespace conf
