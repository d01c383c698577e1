// The page for people: complete in itself, and its values are text.
#include "transports/human_page.h"

#include <gtest/gtest.h>

namespace transports {
namespace {

TEST(HumanPage, TellsTheTemplate) {
  const std::string page = human_page("dns.example.org", "/dns-query");
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_TRUE(page.contains("https://dns.example.org/dns-query{?dns}"));
}

TEST(HumanPage, LoadsNothing) {
  const std::string page = human_page("dns.example.org", "/dns-query");
  for (const char* tag : {"<script", "<link", "<img", "src=", "href=", "url(", "@import", "<form"})
    EXPECT_FALSE(page.contains(tag)) << tag;
  EXPECT_LT(page.size(), 4096U);
}

TEST(HumanPage, ValuesAreText) {
  const std::string page = human_page("<script>\"'&", "/a&b");
  EXPECT_TRUE(page.contains("https://&lt;script&gt;&quot;&#39;&amp;/a&amp;b"));
  EXPECT_FALSE(page.contains("<script"));
}

}  // namespace
}  // namespace transports
