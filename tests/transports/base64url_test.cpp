// Queries in URLs.
#include "transports/base64url.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace transports {
namespace {

std::string encoded(std::string_view octets) {
  std::string out(base64url_size(octets.size()), '\0');
  to_base64url(base::as_bytes(octets), out.data());
  return out;
}

std::optional<std::string> decoded(std::string_view text) {
  const auto size = base64url_octets(text.size());
  if (!size) return std::nullopt;
  std::vector<std::uint8_t> out(*size);
  if (!from_base64url(text, out)) return std::nullopt;
  return std::string(base::as_text(out));
}

TEST(Rfc4648_5, UrlSafeLettersWithoutPadding) {
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg");
  EXPECT_EQ(encoded("fo"), "Zm8");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("foob"), "Zm9vYg");
  EXPECT_EQ(encoded("\xff\xef\xfe"), "_-_-");
  EXPECT_EQ(decoded("_-_-"), "\xff\xef\xfe");
}

TEST(Rfc4648_5, EverySizeComesBack) {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(decoded(encoded(text)), text);
    text += static_cast<char>(i * 37);
  }
}

TEST(Rfc8484_6, OtherLettersAreRefused) {
  for (const char* text : {"Zm9=", "Zm+v", "Zm/v", "Zg==", "Zg%3", "Zm 9", "Zm9v\n", "Z"})
    EXPECT_FALSE(decoded(text)) << text;
}

}  // namespace
}  // namespace transports
