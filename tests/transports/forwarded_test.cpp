// Clients behind reverse proxies. RFC 7239 §4-6.
#include "transports/forwarded.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace transports {
namespace {

using Field = ForwardedFor::Field;

const std::vector<base::Prefix> proxies{*base::Prefix::from_text("10.0.0.0/8"),
                                        *base::Prefix::from_text("2001:db8:1::/48")};

std::string client_of(Field field, std::initializer_list<std::string_view> values) {
  ForwardedFor chain(proxies);
  for (const std::string_view value : values) chain.take(field, value);
  return chain.client() ? chain.client()->to_text() : "none";
}

std::string plain(std::string_view value) { return client_of(Field::x_forwarded_for, {value}); }
std::string rfc(std::string_view value) { return client_of(Field::forwarded, {value}); }

TEST(XForwardedFor, TheNearestHopThatIsNotOursIsTheClient) {
  EXPECT_EQ(plain("203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(plain("198.51.100.1, 203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(plain("198.51.100.1, 203.0.113.7, 10.1.2.3, 2001:db8:1::1"), "203.0.113.7");
  EXPECT_EQ(plain("nonsense, 127.0.0.1, 203.0.113.7,10.0.0.1"), "203.0.113.7");
}

TEST(XForwardedFor, SeveralFieldsAreOne) {
  EXPECT_EQ(client_of(Field::x_forwarded_for, {"198.51.100.1", "203.0.113.7", "10.0.0.1"}),
            "203.0.113.7");
}

TEST(XForwardedFor, WithOursAloneTheFarthestIsTheClient) {
  EXPECT_EQ(plain("10.1.1.1, 10.2.2.2"), "10.1.1.1");
  EXPECT_EQ(plain("198.51.100.1, unknown, 10.1.1.1, 10.2.2.2"), "10.1.1.1");
}

TEST(XForwardedFor, AddressesMayHavePorts) {
  EXPECT_EQ(plain("203.0.113.7:4711"), "203.0.113.7");
  EXPECT_EQ(plain("2001:db8::7"), "2001:db8::7");
  EXPECT_EQ(plain("[2001:db8::7]"), "2001:db8::7");
  EXPECT_EQ(plain("[2001:db8::7]:4711"), "2001:db8::7");
  EXPECT_EQ(plain("::ffff:203.0.113.7"), "203.0.113.7");
}

TEST(XForwardedFor, WhatIsNoAddressIsNobody) {
  for (const std::string_view value :
       {"", ",", "unknown", "203.0.113.7:", "203.0.113.7:x", "203.0.113.7:123456", "[203.0.113.7]",
        "[2001:db8::7", "[2001:db8::7]x", "fe80::1%eth0", "203.0.113.07", "203.0.113.7 8",
        "\"203.0.113.7", "198.51.100.1, nonsense"}) {
    EXPECT_EQ(plain(value), "none") << value;
  }
}

TEST(Rfc7239_4, TheParameterForIsTheHop) {
  EXPECT_EQ(rfc("for=203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(rfc("For=\"203.0.113.7:4711\";proto=https;by=10.0.0.1"), "203.0.113.7");
  EXPECT_EQ(rfc("proto=http; FOR=\"[2001:db8:cafe::17]:4711\""), "2001:db8:cafe::17");
  EXPECT_EQ(rfc("for=198.51.100.1, for=203.0.113.7;host=\"a,b;for=1.2.3.4\", for=10.0.0.1"),
            "203.0.113.7");
}

TEST(Rfc7239_6, HiddenNodesAreNobody) {
  EXPECT_EQ(rfc("for=unknown"), "none");
  EXPECT_EQ(rfc("for=_hidden, for=\"_SEVKISEK\""), "none");
  EXPECT_EQ(rfc("for=198.51.100.1, proto=https"), "none");
  EXPECT_EQ(rfc("for=198.51.100.1;for=203.0.113.7"), "none");
  EXPECT_EQ(rfc("for=\"203.0.113.7\\\""), "none");
  EXPECT_EQ(rfc("for=\"203.0.113\\.7\""), "none");
  EXPECT_EQ(rfc("for"), "none");
}

}  // namespace
}  // namespace transports
