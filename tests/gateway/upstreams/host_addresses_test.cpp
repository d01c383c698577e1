// Which addresses of an answer are the host's.
#include "gateway/upstreams/host_addresses.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tests/dns/message_builder.h"

namespace gateway::upstreams {
namespace {

using dns::RrType;
using dns::Section;
using dns::test::MessageBuilder;
using dns::test::name;
using dns::test::Octets;
using std::chrono::seconds;

const Octets a{192, 0, 2, 1};
const Octets aaaa{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

FoundAddresses found(base::Bytes response, RrType type = RrType::a) {
  return addresses_in(response, *dns::Name::from_text("dns.example"), type);
}

std::vector<std::string> texts(const Addresses& addresses) {
  std::vector<std::string> out;
  for (const base::Address& each : addresses) out.push_back(each.to_text());
  return out;
}

using Texts = std::vector<std::string>;

MessageBuilder response() {
  MessageBuilder message{0, 0x8180};
  message.question(name("dns.example"));
  return message;
}

TEST(HostAddresses, AreThoseOfTheAskedTypeAndName) {
  auto message = response();
  message.record(Section::answer, name("DNS.example"), RrType::a, 300, a)
      .record(Section::answer, name("dns.example"), RrType::aaaa, 200, aaaa)
      .record(Section::answer, name("other.example"), RrType::a, 100, {192, 0, 2, 2})
      .record(Section::answer, name("dns.example"), RrType::a, 100, {192, 0, 2, 3}, 3)
      .record(Section::answer, name("dns.example"), RrType::txt, 10, {1, 'x'})
      .record(Section::additional, name("dns.example"), RrType::a, 10, {192, 0, 2, 4});
  EXPECT_EQ(texts(found(message).addresses), Texts{"192.0.2.1"});
  EXPECT_EQ(found(message).ttl, seconds{300});
  EXPECT_EQ(texts(found(message, RrType::aaaa).addresses), Texts{"2001:db8::1"});
}

TEST(Rfc1034_3_6_2, CnamesAreFollowedInWhateverOrderTheyStand) {
  auto message = response();
  message.record(Section::answer, name("b.example"), RrType::a, 300, a)
      .record(Section::answer, name("a.example"), RrType::cname, 20, name("b.example"))
      .record(Section::answer, name("dns.example"), RrType::cname, 900, name("a.example"));
  EXPECT_EQ(texts(found(message).addresses), Texts{"192.0.2.1"});
  EXPECT_EQ(found(message).ttl, seconds{20});
}

TEST(HostAddresses, ACircleOfCnamesEnds) {
  auto message = response();
  message.record(Section::answer, name("dns.example"), RrType::cname, 20, name("a.example"))
      .record(Section::answer, name("a.example"), RrType::cname, 20, name("dns.example"));
  EXPECT_TRUE(found(message).addresses.empty());
}

TEST(HostAddresses, WhereNoHostCanBeNobodyIsTried) {
  auto message = response();
  for (const Octets& bogus : std::initializer_list<Octets>{
           {0, 0, 0, 0}, {0, 1, 2, 3}, {224, 0, 0, 1}, {240, 0, 0, 1}, {255, 255, 255, 255}})
    message.record(Section::answer, name("dns.example"), RrType::a, 60, bogus);
  EXPECT_TRUE(found(message).addresses.empty());
  for (const char* const text : {"::", "ff02::1", "fe80::1", "0.0.0.0", "224.0.0.1"})
    EXPECT_FALSE(is_of_a_host(*base::Address::from_text(text))) << text;
  for (const char* const text : {"::1", "127.0.0.1", "10.0.0.1", "fd00::1", "2001:db8::1"})
    EXPECT_TRUE(is_of_a_host(*base::Address::from_text(text))) << text;
}

TEST(Rfc2181_8, ATtlWithItsTopBitIsZero) {
  auto message = response();
  message.record(Section::answer, name("dns.example"), RrType::a, 0x80000001, a);
  EXPECT_EQ(found(message).ttl, seconds{0});
}

TEST(HostAddresses, ATruncatedResponseGivesWhatItHoldsAndNeverMore) {
  auto message = response();
  message.record(Section::answer, name("dns.example"), RrType::a, 300, a);
  for (std::size_t size = 0; size < message.wire().size(); ++size)
    EXPECT_TRUE(found(base::Bytes{message.wire()}.first(size)).addresses.empty()) << size;
}

TEST(HostAddresses, BothFamiliesAreTriedInTurn) {
  const auto all = [](std::initializer_list<const char*> list) {
    Addresses out;
    for (const char* const text : list) out.push_back(*base::Address::from_text(text));
    return out;
  };
  const Addresses v4 = all({"192.0.2.1", "192.0.2.2", "192.0.2.3"});
  const Addresses v6 = all({"2001:db8::1"});
  EXPECT_EQ(in_turn(v4, v6), all({"192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.3"}));
  EXPECT_EQ(in_turn({}, v6), v6);
  EXPECT_EQ(
      in_turn(all({"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"}), {}).size(),
      addresses_most);
}

}  // namespace
}  // namespace gateway::upstreams
