// The words of `sallyport query`: servers, a name, a type.
#include "gateway/cli/inquiry.h"

#include <gtest/gtest.h>

namespace gateway::cli {
namespace {

std::expected<Inquiry, std::string> read(std::vector<std::string> words) {
  return inquiry_from_words(words);
}

TEST(Inquiry, ANameAloneIsAskedForItsAddress) {
  const auto inquiry = read({"example.org"});
  ASSERT_TRUE(inquiry);
  EXPECT_EQ(inquiry->question.name.to_text(), "example.org.");
  EXPECT_EQ(inquiry->question.type, dns::RrType::a);
  EXPECT_TRUE(inquiry->servers.empty());
}

TEST(Inquiry, ServersMayStandAnywhere) {
  const auto inquiry =
      read({"@udp://192.0.2.1", "example.org", "@tls://192.0.2.2#dns.example", "https"});
  ASSERT_TRUE(inquiry);
  EXPECT_EQ(inquiry->servers,
            (std::vector<std::string>{"udp://192.0.2.1", "tls://192.0.2.2#dns.example"}));
  EXPECT_EQ(inquiry->question.type, dns::RrType::https);
}

TEST(Inquiry, Rfc3597_5_TypesWithoutANameAreUnderstood) {
  EXPECT_EQ(read({"example.org", "TYPE65280"})->question.type, dns::RrType{65280});
}

TEST(Inquiry, Rfc1035_3_5_AnAddressIsAskedForBackwards) {
  const auto v4 = read({"192.0.2.17"});
  EXPECT_EQ(v4->question.name.to_text(), "17.2.0.192.in-addr.arpa.");
  EXPECT_EQ(v4->question.type, dns::RrType::ptr);
  EXPECT_EQ(read({"2001:db8::12"})->question.name.to_text(),
            "2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.");
  EXPECT_EQ(read({"192.0.2.17", "TXT"})->question.type, dns::RrType::txt);
}

TEST(Inquiry, WhatMakesNoSenseIsSaid) {
  EXPECT_EQ(read({"@udp://192.0.2.1"}).error(), "a name to ask for is missing");
  EXPECT_TRUE(read({"a..b"}).error().contains("`a..b`"));
  EXPECT_TRUE(read({"example.org", "AAAAA"}).error().contains("`AAAAA`"));
  EXPECT_TRUE(read({"example.org", "A", "IN"}).error().contains("`IN`"));
}

}  // namespace
}  // namespace gateway::cli
