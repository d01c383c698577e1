// Addresses, endpoints and prefixes as text and as socket addresses.
#include "base/address.h"

#include <netinet/in.h>

#include <gtest/gtest.h>

#include <string>

namespace base {
namespace {

std::string again(std::string_view text) {
  const auto address = Address::from_text(text);
  return address ? address->to_text() : "refused";
}

TEST(Rfc5952_4_1, LeadingZerosAreDropped) {
  EXPECT_EQ(again("2001:0db8:0:0:0:0:0:0001"), "2001:db8::1");
}

TEST(Rfc5952_4_2_2, ASingleZeroFieldIsNotShortened) {
  EXPECT_EQ(again("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1");
  EXPECT_EQ(again("2001:db8::1:1:1:1:1"), "2001:db8:0:1:1:1:1:1");
}

TEST(Rfc5952_4_2_3, TheLongestRunIsShortenedAndTheFirstOfEqualOnes) {
  EXPECT_EQ(again("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1");
  EXPECT_EQ(again("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");
}

TEST(Rfc5952_4_3, LettersAreLowerCase) { EXPECT_EQ(again("2001:DB8::ABCD"), "2001:db8::abcd"); }

TEST(Rfc4291_2_5_5_2, MappedAddressesBecomeIpv4) {
  EXPECT_EQ(again("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(Address::from_text("::ffff:c000:201"), Address::from_text("192.0.2.1"));
  EXPECT_EQ(Address::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}),
            Address::v4({192, 0, 2, 1}));
}

TEST(Rfc4007_11, ScopesAreNumbersOrInterfaces) {
  EXPECT_EQ(again("fe80::1%2"), "fe80::1%2");
  EXPECT_EQ(again("fe80::1%4294967295"), "fe80::1%4294967295");
  EXPECT_EQ(Address::from_text("fe80::1%lo")->scope(),
            1U);  // the loopback interface is always the first
  for (const auto* text :
       {"fe80::1%", "fe80::1%0", "fe80::1%02", "fe80::1%4294967296", "fe80::1%no-such-interface",
        "fe80::1%1%1", "192.0.2.1%1", "::ffff:192.0.2.1%1"}) {
    EXPECT_FALSE(Address::from_text(text)) << text;
  }
}

TEST(Address, WhatIsNoAddressIsRefused) {
  for (const auto* text : {"",
                           " ",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.256",
                           "01.2.3.4",
                           "1.2.3.4 ",
                           " 1.2.3.4",
                           "0x1.2.3.4",
                           "::1::",
                           ":::",
                           "1::2::3",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "12345::",
                           "[::1]",
                           "dns.quad9.net",
                           "1.2.3.4:53",
                           "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"}) {
    EXPECT_FALSE(Address::from_text(text)) << text;
  }
  EXPECT_FALSE(Address::from_text(std::string_view("1.2.3.4\0", 8)));
}

TEST(Address, KnowsItsKind) {
  EXPECT_TRUE(Address::from_text("127.8.9.10")->is_loopback());
  EXPECT_TRUE(Address::from_text("::1")->is_loopback());
  EXPECT_FALSE(Address::from_text("::2")->is_loopback());
  EXPECT_FALSE(Address::from_text("126.0.0.1")->is_loopback());
  EXPECT_FALSE(Address::from_text("1::1")->is_loopback());
  EXPECT_TRUE(Address{}.is_unspecified());
  EXPECT_TRUE(Address::from_text("::")->is_unspecified());
  EXPECT_FALSE(Address::from_text("::1")->is_unspecified());
  EXPECT_TRUE(Address::from_text("169.254.1.1")->is_link_local());
  EXPECT_TRUE(Address::from_text("febf::1")->is_link_local());
  EXPECT_FALSE(Address::from_text("fec0::1")->is_link_local());
  EXPECT_NE(Address::from_text("::"), Address{}) << "the family counts";
}

TEST(Endpoint, GoesThroughSocketAddresses) {
  for (const auto* text : {"192.0.2.1", "2001:db8::1", "fe80::1%3", "::"}) {
    const Endpoint endpoint{.address = *Address::from_text(text), .port = 853};
    sockaddr_storage storage;
    const unsigned size = endpoint.to_sockaddr(storage);
    EXPECT_EQ(size, endpoint.address.is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    EXPECT_EQ(Endpoint::from_sockaddr(reinterpret_cast<const sockaddr&>(storage)), endpoint)
        << text;
  }
}

TEST(Endpoint, IsPrintedWithItsPort) {
  EXPECT_EQ((Endpoint{.address = *Address::from_text("192.0.2.1"), .port = 53}.to_text()),
            "192.0.2.1:53");
  EXPECT_EQ((Endpoint{.address = *Address::from_text("2001:db8::1"), .port = 853}.to_text()),
            "[2001:db8::1]:853");
}

TEST(Endpoint, OfAnotherFamilyIsNothing) {
  const sockaddr other{.sa_family = AF_UNIX, .sa_data = {1, 2, 3, 4, 5, 6}};
  EXPECT_EQ(Endpoint::from_sockaddr(other), Endpoint{});
}

bool in(std::string_view prefix, std::string_view address) {
  return Prefix::from_text(prefix)->contains(*Address::from_text(address));
}

TEST(Rfc4632_3_1, PrefixesContainWhatBeginsLikeThem) {
  EXPECT_TRUE(in("10.0.0.0/8", "10.255.255.255"));
  EXPECT_FALSE(in("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(in("172.16.0.0/12", "172.31.255.255"));
  EXPECT_FALSE(in("172.16.0.0/12", "172.32.0.0"));
  EXPECT_TRUE(in("fe80::/10", "febf::1"));
  EXPECT_FALSE(in("fe80::/10", "fec0::1"));
  EXPECT_TRUE(in("fe80::/10", "fe80::1%2")) << "a scope does not take an address out of its range";
  EXPECT_TRUE(in("0.0.0.0/0", "255.255.255.255"));
  EXPECT_FALSE(in("0.0.0.0/0", "::1"));
  EXPECT_FALSE(in("::/0", "0.0.0.0"));
  EXPECT_TRUE(in("::/0", "ffff::"));
  EXPECT_TRUE(in("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(in("192.0.2.1", "192.0.2.0"));
  EXPECT_TRUE(in("::ffff:10.0.0.0/104", "10.1.2.3"));
}

TEST(Prefix, IsPrintedWithItsLength) {
  EXPECT_EQ(Prefix::from_text("10.0.0.0/8")->to_text(), "10.0.0.0/8");
  EXPECT_EQ(Prefix::from_text("2001:DB8::/32")->to_text(), "2001:db8::/32");
  EXPECT_EQ(Prefix::from_text("::1")->to_text(), "::1/128");
  EXPECT_EQ(Prefix::from_text("::ffff:0:0/96")->to_text(), "0.0.0.0/0");
}

TEST(Prefix, WhatIsNoPrefixIsRefused) {
  for (const auto* text :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8 ",
        "10.0.0.1/8", "10/8", "::/129", "2001:db8::1/64", "fe80::%1/64", "::ffff:10.0.0.0/95",
        "::ffff:10.0.0.0/8", "10.0.0.0/8/8"}) {
    EXPECT_FALSE(Prefix::from_text(text)) << text;
  }
}

TEST(Prefix, CoversAnAddress) {
  EXPECT_EQ(Prefix::covering(*Address::from_text("2001:db8::1:2:3:4"), 64).to_text(),
            "2001:db8::/64");
  EXPECT_EQ(Prefix::covering(*Address::from_text("192.0.2.129"), 25).to_text(), "192.0.2.128/25");
  EXPECT_EQ(Prefix::covering(*Address::from_text("192.0.2.129"), 64).to_text(), "192.0.2.129/32");
}

}  // namespace
}  // namespace base
