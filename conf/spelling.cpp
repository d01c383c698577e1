// The nearest of a few known words.
#include "conf/spelling.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>

namespace conf {
namespace {

constexpr std::size_t longest = 64;

char lowered(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace

std::size_t edit_distance(std::string_view left, std::string_view right) {
  if (left.size() > longest || right.size() > longest)
    return std::numeric_limits<std::size_t>::max();
  std::array<std::array<std::size_t, longest + 1>, longest + 1> distance;
  for (std::size_t i = 0; i <= left.size(); ++i) distance[i][0] = i;
  for (std::size_t j = 0; j <= right.size(); ++j) distance[0][j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const bool same = lowered(left[i - 1]) == lowered(right[j - 1]);
      std::size_t least = std::min({distance[i - 1][j] + 1, distance[i][j - 1] + 1,
                                    distance[i - 1][j - 1] + (same ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && lowered(left[i - 1]) == lowered(right[j - 2]) &&
                           lowered(left[i - 2]) == lowered(right[j - 1]);
      if (swapped) least = std::min(least, distance[i - 2][j - 2] + 1);
      distance[i][j] = least;
    }
  }
  return distance[left.size()][right.size()];
}

std::optional<std::string_view> nearest(std::string_view written,
                                        std::span<const std::string_view> words) {
  std::optional<std::string_view> best;
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  for (const std::string_view word : words) {
    const bool shortened =
        written.size() >= 3 && word.starts_with(written);  // "warn" for "warning"
    const std::size_t distance = shortened ? 1 : edit_distance(written, word);
    if (distance <= std::max<std::size_t>(word.size() / 3, 1) && distance < best_distance) {
      best = word;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace conf
