// What somebody probably meant: the nearest of a few known words by edit distance (Damerau, optimal
// string alignment).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace conf {

/// Insertions, deletions, replacements and swaps of neighbours, upper and lower case being alike.
/// Words longer than 64 octets are infinitely far from all others.
std::size_t edit_distance(std::string_view left, std::string_view right);

/// The nearest word, when it is near enough that a slip explains it: a third of its letters, at
/// least one; or when it begins with what was written.
std::optional<std::string_view> nearest(std::string_view written,
                                        std::span<const std::string_view> words);

}  // namespace conf
