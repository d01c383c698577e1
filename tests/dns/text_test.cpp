// Presentation of every type, of options and of whole messages. RFC 1035 §5.1, RFC 3597 §5, RFC
// 9460 appendix D.
#include "dns/text.h"

#include <gtest/gtest.h>

#include "dns/encoding.h"
#include "tests/dns/message_builder.h"
#include "tests/dns/message_generator.h"

namespace dns {
namespace {

using test::join;
using test::MessageBuilder;
using test::name;
using test::Octets;
using test::option;
using test::pointer;
using test::u16;
using test::u32;

Octets text(std::string_view from) { return {from.begin(), from.end()}; }
Octets string(std::string_view from) {
  return join({{static_cast<std::uint8_t>(from.size())}, text(from)});
}

std::string present(RrType type, const Octets& rdata, unsigned klass = 1) {
  const auto wire = MessageBuilder()
                        .question(name("example.com"))
                        .record(Section::answer, pointer(12), type, 300, rdata, klass);
  MessageWalk walk(wire);
  Record record;
  return walk.next(record) ? rdata_to_text(wire, record) : "malformed";
}

TEST(Rfc1035_3_3, ClassicTypes) {
  EXPECT_EQ(present(RrType::a, {192, 0, 2, 1}), "192.0.2.1");
  EXPECT_EQ(present(RrType::ns, join({{2, 'n', 's'}, pointer(12)})), "ns.example.com.");
  EXPECT_EQ(present(RrType::cname, name(".")), ".");
  EXPECT_EQ(present(RrType::ptr, name("a")), "a.");
  EXPECT_EQ(present(RrType::mx, join({u16(10), name("mail")})), "10 mail.");
  EXPECT_EQ(present(RrType::soa,
                    join({name("a"), name("b"), u32(1), u32(2), u32(3), u32(4), u32(4294967295)})),
            "a. b. 1 2 3 4 4294967295");
  EXPECT_EQ(present(RrType::hinfo, join({string("PC"), string("a \"b\"")})),
            "\"PC\" \"a \\\"b\\\"\"");
  EXPECT_EQ(present(RrType::txt, join({string("v=1; x"), string(""), string("\\\x01\xC3\xA9")})),
            "\"v=1; x\" \"\" \"\\\\\\001\\195\\169\"");
}

TEST(Rfc3596_2_4, AaaaAsRfc5952WantsIt) {
  EXPECT_EQ(present(RrType::aaaa, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}),
            "2001:db8::1");
  EXPECT_EQ(present(RrType::aaaa, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 1}),
            "::ffff:192.0.2.1");
}

TEST(Rdata, LaterTypes) {
  EXPECT_EQ(present(RrType::srv, join({u16(1), u16(2), u16(443), name("a")})), "1 2 443 a.");
  EXPECT_EQ(present(RrType::naptr,
                    join({u16(1), u16(2), string("S"), string("x"), string(""), name("a")})),
            "1 2 \"S\" \"x\" \"\" a.");
  EXPECT_EQ(present(RrType::caa, join({{128}, string("issue"), text("ca.example; a=\"b\"")})),
            "128 issue \"ca.example; a=\\\"b\\\"\"");
  EXPECT_EQ(present(RrType::tlsa, {3, 1, 1, 0xAB, 0xCD}), "3 1 1 abcd");
  EXPECT_EQ(present(RrType::uri, join({u16(1), u16(2), text("https://a/")})), "1 2 \"https://a/\"");
  EXPECT_EQ(present(RrType::sshfp, {4, 2, 0xAB}), "4 2 ab");
}

TEST(Rfc4034, DnssecTypes) {
  EXPECT_EQ(present(RrType::ds, join({u16(60485), {5, 1, 0x2B, 0xB1}})), "60485 5 1 2bb1");
  EXPECT_EQ(present(RrType::dnskey, join({u16(257), {3, 13}, text("abcd")})), "257 3 13 YWJjZA==");
  EXPECT_EQ(present(RrType::rrsig, join({u16(1),
                                         {13, 2},
                                         u32(300),
                                         u32(1893456000),
                                         u32(0),
                                         u16(7),
                                         name("a"),
                                         text("abc")})),
            "A 13 2 300 20300101000000 19700101000000 7 a. YWJj");
  EXPECT_EQ(present(RrType::nsec, join({name("b"), {0, 6, 0x40, 1, 0, 0, 0, 3, 1, 1, 0x40}})),
            "b. A MX RRSIG NSEC CAA");
  EXPECT_EQ(present(RrType::nsec, name("b")), "b.");
  EXPECT_EQ(
      present(
          RrType::nsec3,
          join({{1, 0}, u16(12), string("\xAA\xBB"), string(std::string(20, 'a')), {0, 1, 0x40}})),
      "1 0 12 aabb c5gm2ob1c5gm2ob1c5gm2ob1c5gm2ob1 A");
  EXPECT_EQ(present(RrType::nsec3param, join({{1, 0}, u16(0), {0}})), "1 0 0 -");
}

TEST(Rfc9460_2_1, SvcParams) {
  const auto https = [](const Octets& params) {
    return present(RrType::https, join({u16(1), name("."), params}));
  };
  EXPECT_EQ(https({}), "1 .");
  EXPECT_EQ(
      https(join({option(1, join({string("h2"), string("h3")})), option(2, {}), option(3, {1, 187}),
                  option(4, {192, 0, 2, 1, 192, 0, 2, 2}), option(5, {1, 2, 3}),
                  option(6, join({Octets(15, 0), {1}})), option(7, text("/dns-query{?dns}"))})),
      "1 . alpn=\"h2,h3\" no-default-alpn port=443 ipv4hint=\"192.0.2.1,192.0.2.2\" ech=\"AQID\" "
      "ipv6hint=\"::1\" dohpath=\"/dns-query{?dns}\"");
  EXPECT_EQ(https(join({option(0, join({u16(1), u16(900)})), option(667, text("hello")),
                        option(668, {})})),
            "1 . mandatory=\"alpn,key900\" key667=\"hello\" key668");
  EXPECT_EQ(https(option(1, join({string("f\\oo,bar"), string("h2")}))),
            "1 . alpn=\"f\\\\\\\\oo\\\\,bar,h2\"")
      << "RFC 9460 appendix D.2, figure 10";
  EXPECT_EQ(https(option(3, {1})), "1 . key3=\"\\001\"") << "not a port";
  EXPECT_EQ(https(option(1, {9, 'x'})), "1 . key1=\"\\009x\"") << "not a list of names";
}

TEST(Rfc3597_5, UnknownTypesAndMalformedRdataAreOctets) {
  EXPECT_EQ(present(RrType{65280}, {0xDE, 0xAD}), "\\# 2 dead");
  EXPECT_EQ(present(RrType{65280}, {}), "\\# 0");
  EXPECT_EQ(present(RrType::txt, {9, 'x'}), "\\# 2 0978");
  EXPECT_EQ(present(RrType::txt, {}), "\\# 0");
  EXPECT_EQ(present(RrType::ds, {1}), "\\# 1 01");
  EXPECT_EQ(present(RrType::a, {1, 2, 3}, 3), "\\# 3 010203") << "CHAOS";
  EXPECT_EQ(present(RrType::nsec, join({name("b"), {0, 0}})), "\\# 5 0162000000");
  EXPECT_EQ(present(RrType::nsec, join({name("b"), {1, 1, 1, 0, 1, 1}})),
            "\\# 9 016200010101000101");
  EXPECT_EQ(present(RrType::https, join({u16(1), name("."), option(2, {}), option(1, {})})),
            "\\# 11 0001000002000000010000");
  EXPECT_EQ(present(RrType::rrsig, join({Octets(18, 0), pointer(12)})),
            "\\# 20 " + std::string(36, '0') + "c00c")
      << "compressed where it may not be";
}

TEST(Rfc8914_2, EdeForPeople) {
  EXPECT_EQ(ede_to_text(join({u16(3), text("upstream silent")})),
            "3 (Stale Answer): upstream silent");
  EXPECT_EQ(ede_to_text(u16(999)), "999 (EDE 999)");
  EXPECT_EQ(ede_to_text({}), "");
  EXPECT_EQ(ede_to_text(join({u16(0), text("\x1b[2J")})), "0 (Other Error): \\027[2J");
}

TEST(MessageToText, ReadsLikeDig) {
  const auto wire =
      MessageBuilder(4711, flag::qr | flag::rd | flag::ra | flag::ad)
          .question(name("example.com"), RrType::mx)
          .record(Section::answer, pointer(12), RrType::mx, 300, join({u16(10), name("mail")}))
          .record(Section::authority, pointer(20), RrType::ns, 60, name("a"), 3)
          .opt(join({option(15, {0, 3}), option(10, Octets(8, 0xAB)), option(12, Octets(7, 0)),
                     option(11, {1, 45}), option(8, {0, 1, 24, 0, 192, 0, 2}),
                     option(3, text("ns")), option(65001, {1})}),
               0x8000);
  EXPECT_EQ(message_to_text(wire),
            ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 4711\n"
            ";; flags: qr rd ra ad; QUERY: 1, ANSWER: 1, AUTHORITY: 1, ADDITIONAL: 1\n"
            "\n"
            ";; OPT PSEUDOSECTION:\n"
            "; EDNS: version: 0, flags: do; udp: 1232\n"
            "; EDE: 3 (Stale Answer)\n"
            "; COOKIE: abababababababab\n"
            "; PADDING: 7 octets\n"
            "; TCP KEEPALIVE: 30.1 s\n"
            "; CLIENT-SUBNET: 192.0.2.0/24/0\n"
            "; NSID: 6e73 (\"ns\")\n"
            "; OPT=65001: 01\n"
            "\n"
            ";; QUESTION SECTION:\n"
            ";example.com.\t\tIN\tMX\n"
            "\n"
            ";; ANSWER SECTION:\n"
            "example.com.\t300\tIN\tMX\t10 mail.\n"
            "\n"
            ";; AUTHORITY SECTION:\n"
            "com.\t60\tCH\tNS\ta.\n");
}

TEST(MessageToText, MalformedMessagesArePrintedAsFarAsTheyGo) {
  const auto wire = MessageBuilder(1, flag::qr)
                        .question(name("a"))
                        .record(Section::answer, pointer(12), RrType::txt, 1, string("x"))
                        .record(Section::answer, pointer(12), RrType::a, 1, {1});
  const std::string printed = message_to_text(wire);
  EXPECT_TRUE(printed.contains("a.\t1\tIN\tTXT\t\"x\"\n")) << printed;
  EXPECT_TRUE(printed.ends_with("\n;; MALFORMED: rdata at octet 45 of 46\n")) << printed;
  EXPECT_EQ(message_to_text(Octets(3, 0)), "\n;; MALFORMED: header at octet 3 of 3\n");
}

TEST(MessageToText, NothingThatCameOverTheWireControlsATerminal) {
  test::MessageGenerator generator(42);
  for (int i = 0; i < 5'000; ++i) {
    for (const char letter : message_to_text(generator.next())) {
      ASSERT_TRUE((letter >= ' ' && letter <= '~') || letter == '\n' || letter == '\t')
          << int{letter};
    }
  }
}

TEST(Rfc4648_10, Vectors) {
  EXPECT_EQ(to_base64(text("")), "");
  EXPECT_EQ(to_base64(text("f")), "Zg==");
  EXPECT_EQ(to_base64(text("foob")), "Zm9vYg==");
  EXPECT_EQ(to_base64(text("foobar")), "Zm9vYmFy");
  EXPECT_EQ(to_base32hex(text("foobar")), "cpnmuoj1e8");
  EXPECT_EQ(to_base32hex(text("f")), "co");
  EXPECT_EQ(to_hex(text("foobar")), "666f6f626172");
}

}  // namespace
}  // namespace dns
