// Which octets are UTF-8, and which code points may be shown.
#include "base/utf8.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Rfc3629_3, ReadsOneToFourOctets) {
  EXPECT_EQ(utf8_front("a").value, U'a');
  EXPECT_EQ(utf8_front("\xc3\xa9x").value, U'\u00e9');
  EXPECT_EQ(utf8_front("\xe2\x82\xac").value, U'\u20ac');
  EXPECT_EQ(utf8_front("\xf0\x9f\x98\x80").value, U'\U0001f600');
  EXPECT_EQ(utf8_front("\xf0\x9f\x98\x80").size, 4U);
}

TEST(Rfc3629_3, RefusesOverlongFormsSurrogatesAndWhatIsCut) {
  for (const std::string_view text :
       {"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\x80", "\xbf", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3(", "\xe2(\xac"}) {
    const Utf8 front = utf8_front(text);
    EXPECT_FALSE(front.valid);
    EXPECT_EQ(front.size, 1U);
  }
}

TEST(Utf8, WhatMovesTheCursorOrTurnsTheTextIsNotPrintable) {
  for (const char32_t value :
       {U'\0', U'\x1b', U'\x7f', U'\u0085', U'\u2028', U'\u202e', U'\u2066', U'\u200f'}) {
    EXPECT_FALSE(is_printable(value)) << static_cast<unsigned>(value);
  }
  for (const char32_t value : {U' ', U'~', U'\u00e9', U'\u2026', U'\U0001f600'})
    EXPECT_TRUE(is_printable(value));
}

}  // namespace
}  // namespace base
