// Cookies against the vectors of RFC 9018 appendix A, and their time window.
#include "dns/cookie.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dns/encoding.h"
#include "tests/dns/message_builder.h"

namespace dns {
namespace {

using test::Octets;

Octets from_hex(std::string_view text) {
  Octets octets;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    octets.push_back(
        static_cast<std::uint8_t>(std::stoul(std::string{text.substr(i, 2)}, nullptr, 16)));
  }
  return octets;
}

CookieSecret secret_of(std::string_view hex) {
  CookieSecret secret;
  std::ranges::copy(from_hex(hex), secret.begin());
  return secret;
}

const CookieSecret secret = secret_of("e5e973e5a6b2a43f48e7dc849e37bfcf");
const base::Address client = *base::Address::from_text("198.51.100.100");
constexpr std::uint32_t made_at = 1559731985;
using Check = ServerCookies::Check;

TEST(SipHash, GivesTheReferenceVector) {
  const CookieSecret key = secret_of("000102030405060708090a0b0c0d0e0f");
  const Octets input = from_hex("000102030405060708090a0b0c0d0e");
  EXPECT_EQ(siphash_2_4(key, input), 0xa129ca6149be45e5U);  // Aumasson, Bernstein 2012, appendix A
}

TEST(Rfc9018_A_1, NewCookie) {
  const ServerCookie cookie =
      ServerCookies(secret).make(from_hex("2464c4abcf10c957"), client, made_at);
  EXPECT_EQ(to_hex(cookie), "010000005cf79f111f8130c3eee29480");
}

TEST(Rfc9018_A_2, RenewedAfterFortyMinutes) {
  const ServerCookies cookies(secret);
  const Octets sent = from_hex("2464c4abcf10c957010000005cf79f111f8130c3eee29480");
  EXPECT_EQ(cookies.check(sent, client, made_at + 2400), Check::renew);
  EXPECT_EQ(to_hex(cookies.make(sent, client, made_at + 2400)), "010000005cf7a871d4a564a1442aca77");
}

TEST(Rfc9018_A_3, ReservedOctetsAreHashedNotEnforced) {
  const Octets sent = from_hex("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
  const base::Address other = *base::Address::from_text("203.0.113.203");
  EXPECT_EQ(ServerCookies(secret).check(sent, other, 1559727985), Check::good);
  EXPECT_EQ(to_hex(ServerCookies(secret).make(sent, other, 1559734700)),
            "010000005cf7a9acf73a7810aca2381e");
}

TEST(Rfc9018_A_4, Ipv6AndASecretThatWasReplaced) {
  const CookieSecret old = secret_of("dd3bdf9344b678b185a6f5cb60fca715");
  const CookieSecret fresh = secret_of("445536bcd2513298075a5d379663c962");
  const base::Address v6 = *base::Address::from_text("2001:db8:220:1:59de:d0f4:8769:82b8");
  const Octets sent = from_hex("22681ab97d52c298010000005cf7c57926556bd0934c72f8");
  EXPECT_EQ(ServerCookies(fresh, old).check(sent, v6, 1559741961), Check::renew);
  EXPECT_EQ(ServerCookies(fresh).check(sent, v6, 1559741961), Check::bad);
  EXPECT_EQ(to_hex(ServerCookies(fresh, old).make(sent, v6, 1559741961)),
            "010000005cf7c609a6bb79d16625507a");
}

TEST(Rfc9018_4_3, WindowIsOneHourPastAndFiveMinutesAhead) {
  const ServerCookies cookies(secret);
  const Octets sent = from_hex("2464c4abcf10c957010000005cf79f111f8130c3eee29480");
  EXPECT_EQ(cookies.check(sent, client, made_at), Check::good);
  EXPECT_EQ(cookies.check(sent, client, made_at + 1800), Check::good);
  EXPECT_EQ(cookies.check(sent, client, made_at + 1801), Check::renew);
  EXPECT_EQ(cookies.check(sent, client, made_at + 3600), Check::renew);
  EXPECT_EQ(cookies.check(sent, client, made_at + 3601), Check::bad);
  EXPECT_EQ(cookies.check(sent, client, made_at - 300), Check::good);
  EXPECT_EQ(cookies.check(sent, client, made_at - 301), Check::bad);
}

TEST(Rfc1982, WindowHoldsAcrossTheWrapOf2106) {
  const ServerCookies cookies(secret);
  const Octets mine = from_hex("0102030405060708");
  const ServerCookie made = cookies.make(mine, client, 0xFFFFFFF0);
  const Octets sent = test::join({mine, Octets(made.begin(), made.end())});
  EXPECT_EQ(cookies.check(sent, client, 0x00000010), Check::good);
}

TEST(Rfc9018_4_4, AnyOtherOctetMakesItBad) {
  const ServerCookies cookies(secret);
  const Octets good = from_hex("2464c4abcf10c957010000005cf79f111f8130c3eee29480");
  for (std::size_t i = 0; i < good.size(); ++i) {
    Octets forged = good;
    forged[i] ^= 1;
    EXPECT_EQ(cookies.check(forged, client, made_at), Check::bad) << i;
  }
  EXPECT_EQ(cookies.check(good, *base::Address::from_text("198.51.100.101"), made_at), Check::bad);
}

TEST(Rfc9018_4_4, LengthIsPrecisely24) {
  const ServerCookies cookies(secret);
  Octets sent = from_hex("2464c4abcf10c957010000005cf79f111f8130c3eee29480");
  EXPECT_EQ(cookies.check(base::Bytes{sent}.first(8), client, made_at), Check::absent);
  EXPECT_EQ(cookies.check(base::Bytes{sent}.first(16), client, made_at), Check::bad);
  sent.push_back(0);
  EXPECT_EQ(cookies.check(sent, client, made_at), Check::bad);
}

TEST(Rfc7873_5_3, UpstreamCookieIsLearnedAndThenDemanded) {
  UpstreamCookies cookies(ClientCookie{1, 2, 3, 4, 5, 6, 7, 8});
  using Reply = UpstreamCookies::Reply;
  EXPECT_EQ(to_hex(cookies.outgoing()), "0102030405060708");
  EXPECT_EQ(cookies.take(std::nullopt), Reply::without);
  EXPECT_EQ(cookies.take(from_hex("0102030405060709aaaaaaaaaaaaaaaa")), Reply::discard)
      << "not our cookie";
  EXPECT_EQ(cookies.take(from_hex("0102030405060708aaaa")), Reply::discard) << "illegal length";
  EXPECT_EQ(cookies.take(from_hex("0102030405060708aaaaaaaaaaaaaaaa")), Reply::learned);
  EXPECT_EQ(to_hex(cookies.outgoing()), "0102030405060708aaaaaaaaaaaaaaaa");
  EXPECT_EQ(cookies.take(std::nullopt), Reply::discard) << "a cookie is expected now";
  EXPECT_EQ(cookies.take(from_hex("0102030405060708bbbbbbbbbbbbbbbbcc")), Reply::learned);
  EXPECT_EQ(to_hex(cookies.outgoing()), "0102030405060708bbbbbbbbbbbbbbbbcc");
}

}  // namespace
}  // namespace dns
