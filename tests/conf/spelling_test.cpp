// What somebody probably meant.
#include "conf/spelling.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>

namespace conf {
namespace {

TEST(Spelling, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("listen", "listen"), 0U);
  EXPECT_EQ(edit_distance("LISTEN", "listen"), 0U);
  EXPECT_EQ(edit_distance("lisen", "listen"), 1U);
  EXPECT_EQ(edit_distance("listten", "listen"), 1U);
  EXPECT_EQ(edit_distance("liztin", "listen"), 2U);
  EXPECT_EQ(edit_distance("litsen", "listen"), 1U);
  EXPECT_EQ(edit_distance("", "listen"), 6U);
  EXPECT_EQ(edit_distance("listen", ""), 6U);
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance(std::string(64, 'a'), std::string(64, 'b')), 64U);
  EXPECT_EQ(edit_distance(std::string(65, 'a'), "a"), std::numeric_limits<std::size_t>::max());
}

TEST(Spelling, SuggestsWhatIsNearAndNothingElse) {
  constexpr std::array<std::string_view, 5> words{"udp", "listen", "idle_timeout", "query_timeout",
                                                  "warning"};
  EXPECT_EQ(nearest("lsiten", words), "listen");
  EXPECT_EQ(nearest("idletimeout", words), "idle_timeout");
  EXPECT_EQ(nearest("timeout", words), std::nullopt);
  EXPECT_EQ(nearest("upd", words), "udp");
  EXPECT_EQ(nearest("tcp", words), std::nullopt);
  EXPECT_EQ(nearest("warn", words), "warning");
  EXPECT_EQ(nearest("wa", words), std::nullopt);
  EXPECT_EQ(nearest("", words), std::nullopt);
  EXPECT_EQ(nearest(std::string(1000, 'a'), words), std::nullopt);
}

}  // namespace
}  // namespace conf
