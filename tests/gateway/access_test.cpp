// Who may ask: prefixes at their edges, both families, overlaps.
#include "gateway/policy/access.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace gateway::policy {
namespace {

AccessList list_of(const std::vector<std::string>& texts) {
  std::vector<base::Prefix> prefixes;
  for (const std::string& text : texts) prefixes.push_back(base::Prefix::from_text(text).value());
  return AccessList{prefixes};
}

bool allows(const AccessList& list, const std::string& address) {
  return list.allows(base::Address::from_text(address).value());
}

TEST(AccessList, AnEmptyListAllowsNobody) {
  EXPECT_FALSE(allows(list_of({}), "127.0.0.1"));
  EXPECT_FALSE(allows(list_of({}), "::1"));
}

TEST(AccessList, APrefixEndsWhereItEnds) {
  const AccessList list = list_of({"10.1.0.0/16", "2001:db8:1::/48"});
  EXPECT_TRUE(allows(list, "10.1.0.0"));
  EXPECT_TRUE(allows(list, "10.1.255.255"));
  EXPECT_FALSE(allows(list, "10.0.255.255"));
  EXPECT_FALSE(allows(list, "10.2.0.0"));
  EXPECT_TRUE(allows(list, "2001:db8:1::"));
  EXPECT_TRUE(allows(list, "2001:db8:1:ffff:ffff:ffff:ffff:ffff"));
  EXPECT_FALSE(allows(list, "2001:db8:0:ffff:ffff:ffff:ffff:ffff"));
  EXPECT_FALSE(allows(list, "2001:db8:2::"));
}

TEST(AccessList, WholeFamiliesAndSingleAddresses) {
  const AccessList list = list_of({"0.0.0.0/0", "2001:db8::7/128"});
  EXPECT_TRUE(allows(list, "255.255.255.255"));
  EXPECT_TRUE(allows(list, "2001:db8::7"));
  EXPECT_FALSE(allows(list, "2001:db8::8"));
  EXPECT_TRUE(allows(list_of({"::/0"}), "ffff:ffff::1"));
  EXPECT_FALSE(allows(list_of({"::/0"}), "192.0.2.1"));
}

TEST(AccessList, AMappedAddressIsTheIpv4AddressThatItMeans) {
  EXPECT_TRUE(allows(list_of({"192.0.2.0/24"}), "::ffff:192.0.2.9"));
}

TEST(AccessList, AgreesWithEachPrefixAskedAlone) {
  std::mt19937 random{7};
  std::vector<base::Prefix> prefixes;
  for (int i = 0; i < 60; ++i) {
    const std::string text = std::to_string(random() % 4) + "." + std::to_string(random() % 64) +
                             ".0.0/" + std::to_string(16 + random() % 10);
    prefixes.push_back(base::Prefix::from_text(text).value());
  }
  const AccessList list{prefixes};
  for (int i = 0; i < 20'000; ++i) {
    const auto octet = [&] { return static_cast<std::uint8_t>(random()); };
    const base::Address address =
        base::Address::v4({static_cast<std::uint8_t>(random() % 5),
                           static_cast<std::uint8_t>(random() % 65), octet(), octet()});
    bool expected = false;
    for (const base::Prefix& prefix : prefixes) expected = expected || prefix.contains(address);
    ASSERT_EQ(list.allows(address), expected) << address.to_text();
  }
}

}  // namespace
}  // namespace gateway::policy
