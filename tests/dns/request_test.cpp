// Parsing queries: what is accepted, and with which rcode the rest is refused. RFC 1035 §4.1, RFC
// 6891, RFC 9619.
#include "dns/request.h"

#include <gtest/gtest.h>

#include "dns/edns.h"
#include "tests/dns/message_builder.h"

namespace dns {
namespace {

using test::join;
using test::MessageBuilder;
using test::name;
using test::Octets;
using test::option;
using test::pointer;
using test::u16;

Verdict verdict_of(base::Bytes wire) {
  Request request;
  return parse_request(wire, request);
}

MessageBuilder query() { return MessageBuilder().question(name("example.com")); }

TEST(Rfc1035_4_1, PlainQueryIsAccepted) {
  Request request;
  ASSERT_EQ(
      parse_request(MessageBuilder(0xBEEF).question(name("eXample.com"), RrType::aaaa), request),
      Verdict::accept);
  EXPECT_EQ(request.id, 0xBEEF);
  EXPECT_TRUE(request.recursion_desired());
  EXPECT_FALSE(request.checking_disabled());
  EXPECT_TRUE(request.has_question);
  EXPECT_EQ(request.question.name.to_text(), "eXample.com.");
  EXPECT_EQ(request.question.type, RrType::aaaa);
  EXPECT_EQ(request.question.klass, RrClass::in);
  EXPECT_FALSE(request.edns.present);
}

TEST(Rfc1035_4_1, RequestIsReusedWithoutTraces) {
  Request request;
  const Octets cookie = option(10, Octets(8, 7));
  ASSERT_EQ(parse_request(query().opt(cookie, 0x8000), request), Verdict::accept);
  ASSERT_EQ(parse_request(query(), request), Verdict::accept);
  EXPECT_FALSE(request.edns.present);
  EXPECT_FALSE(request.edns.dnssec_ok);
  EXPECT_EQ(request.edns.cookie_size, 0);
}

TEST(Rfc8906_3_1_1, ResponsesAndFragmentsAreDropped) {
  EXPECT_EQ(verdict_of(MessageBuilder(1, flag::qr).question(name("a"))), Verdict::drop);
  EXPECT_EQ(verdict_of(Octets(11, 0)), Verdict::drop);
  EXPECT_EQ(verdict_of(Octets{}), Verdict::drop);
}

TEST(Rfc1035_4_1_1, EveryOtherOpcodeIsNotImplemented) {
  for (unsigned opcode = 1; opcode < 16; ++opcode) {
    const auto flags = static_cast<std::uint16_t>(opcode << 11);
    EXPECT_EQ(verdict_of(MessageBuilder(1, flags)), Verdict::not_implemented) << opcode;
    EXPECT_EQ(verdict_of(MessageBuilder(1, flags).append(Octets(40, 0xFF))),
              Verdict::not_implemented)
        << opcode;
  }
}

TEST(Rfc6891_7, RefusedOpcodeStillLearnsOfEdns) {
  Request request;
  const std::uint16_t notify = 4 << 11;
  EXPECT_EQ(parse_request(MessageBuilder(1, notify).question(name("a")).opt({}, 0x8000), request),
            Verdict::not_implemented);
  EXPECT_TRUE(request.edns.present);
  EXPECT_TRUE(request.edns.dnssec_ok);
}

TEST(Rfc9619_4, TwoQuestionsAreMalformed) {
  Request request;
  EXPECT_EQ(parse_request(query().question(name("b")).opt(), request), Verdict::format_error);
  EXPECT_FALSE(request.has_question);
  EXPECT_TRUE(request.edns.present) << "the FORMERR needs its OPT";
}

TEST(Rfc7873_5_4, NoQuestionIsForCookiesAlone) {
  EXPECT_EQ(verdict_of(MessageBuilder()), Verdict::format_error);
  EXPECT_EQ(verdict_of(MessageBuilder().opt()), Verdict::format_error);
  EXPECT_EQ(verdict_of(MessageBuilder().opt(option(10, Octets(8, 1)))), Verdict::cookie_only);
}

TEST(Rfc1035_4_1, RecordsInAQueryAreMalformed) {
  EXPECT_EQ(verdict_of(query().record(Section::answer, name("."), RrType::a, 0, Octets(4, 1))),
            Verdict::format_error);
  EXPECT_EQ(verdict_of(query().record(Section::authority, name("."), RrType::soa, 0, {})),
            Verdict::format_error);
}

TEST(Rfc1035_4_1, TrailingOctetsAreMalformed) {
  EXPECT_EQ(verdict_of(query().append({0})), Verdict::format_error);
  EXPECT_EQ(verdict_of(query().opt().append({0})), Verdict::format_error);
}

TEST(Rfc1035_4_1, EveryShorterPacketIsMalformed) {
  const Octets whole = query().opt(option(12, Octets(5, 0))).wire();
  ASSERT_EQ(verdict_of(whole), Verdict::accept);
  for (std::size_t size = header_size; size < whole.size(); ++size) {
    EXPECT_EQ(verdict_of(base::Bytes{whole}.first(size)), Verdict::format_error) << size;
  }
}

TEST(Rfc1035_2_3_4, QuestionOf255OctetsIsAcceptedAnd256Refused) {
  EXPECT_EQ(verdict_of(MessageBuilder().question(test::name_of_size(255))), Verdict::accept);
  EXPECT_EQ(verdict_of(MessageBuilder().question(test::name_of_size(256))), Verdict::format_error);
  EXPECT_EQ(verdict_of(MessageBuilder().question(name("."))), Verdict::accept);
}

TEST(Rfc1035_4_1_4, QuestionCannotBeCompressed) {
  EXPECT_EQ(verdict_of(MessageBuilder().question(pointer(12))), Verdict::format_error);
  EXPECT_EQ(verdict_of(MessageBuilder().question(pointer(0))), Verdict::format_error);
  EXPECT_EQ(verdict_of(MessageBuilder().question(join({{1, 'a'}, pointer(12)}))),
            Verdict::format_error);
}

TEST(Rfc6891_6_1, OptIsRead) {
  Request request;
  const Octets options = join({option(3, {}), option(12, Octets(9, 0)), option(11, {}),
                               option(65001, {1, 2}), option(10, Octets(24, 9))});
  ASSERT_EQ(parse_request(query().opt(options, 0x8000, 4096), request), Verdict::accept);
  EXPECT_TRUE(request.edns.present);
  EXPECT_TRUE(request.edns.dnssec_ok);
  EXPECT_TRUE(request.edns.nsid);
  EXPECT_TRUE(request.edns.padding);
  EXPECT_TRUE(request.edns.keepalive);
  EXPECT_FALSE(request.edns.subnet);
  EXPECT_EQ(request.edns.unknown_options, 1);
  EXPECT_EQ(request.edns.udp_size, 4096);
  EXPECT_EQ(request.edns.cookie_size, 24);
  EXPECT_EQ(request.edns.cookie[23], 9);
}

TEST(Rfc6891_6_2_3, PayloadBelow512Means512) {
  Request request;
  for (const unsigned size : {0U, 1U, 511U, 512U}) {
    ASSERT_EQ(parse_request(query().opt({}, 0, size), request), Verdict::accept);
    EXPECT_EQ(request.edns.udp_size, 512) << size;
  }
}

TEST(Rfc6891_6_1_1, TwoOptsAreMalformed) {
  Request request;
  EXPECT_EQ(parse_request(query().opt().opt(), request), Verdict::format_error);
  EXPECT_TRUE(request.edns.present);
}

TEST(Rfc6891_6_1_2, OptNeedsTheRootAsOwner) {
  Request request;
  EXPECT_EQ(parse_request(query().record(Section::additional, name("a"), RrType::opt, 0, {}, 1232),
                          request),
            Verdict::format_error);
  EXPECT_FALSE(request.edns.present);
}

TEST(Rfc6891_6_1_3, OtherVersionsAreRefusedBeforeTheirOptionsAreRead) {
  Request request;
  EXPECT_EQ(parse_request(query().opt({1, 2, 3}, 1U << 16), request), Verdict::bad_version);
  EXPECT_TRUE(request.edns.present);
  EXPECT_EQ(request.edns.version, 1);
  EXPECT_TRUE(request.has_question);
  EXPECT_EQ(verdict_of(query().opt({}, 255U << 16)), Verdict::bad_version);
}

TEST(Rfc6891_7, MalformedOptionsAreRefusedWithOpt) {
  for (const Octets& rdata :
       {Octets{0}, Octets{0, 12, 0}, Octets{0, 12, 0, 1}, Octets{0, 12, 0xFF, 0xFF, 0}}) {
    Request request;
    EXPECT_EQ(parse_request(query().opt(rdata), request), Verdict::format_error);
    EXPECT_TRUE(request.edns.present);
  }
}

TEST(Rfc6891_6_1_2, SixteenThousandUnknownOptionsAreCounted) {
  Octets options;
  for (int i = 0; i < 16000; ++i) options.insert(options.end(), {0xFD, 0xE9, 0, 0});
  Request request;
  ASSERT_EQ(parse_request(query().opt(options), request), Verdict::accept);
  EXPECT_EQ(request.edns.unknown_options, 16000);
}

TEST(Rfc7873_5_2_2, CookieIs8Or16To40Octets) {
  for (std::size_t size = 0; size <= 48; ++size) {
    const bool sound = size == 8 || (size >= 16 && size <= 40);
    EXPECT_EQ(verdict_of(query().opt(option(10, Octets(size, 1)))),
              sound ? Verdict::accept : Verdict::format_error)
        << size;
  }
}

TEST(Rfc7873_5_2, FirstOfSeveralCookiesCounts) {
  Request request;
  ASSERT_EQ(parse_request(query().opt(join({option(10, Octets(8, 1)), option(10, Octets(3, 2))})),
                          request),
            Verdict::accept);
  EXPECT_EQ(request.edns.cookie_size, 8);
  EXPECT_EQ(request.edns.cookie[0], 1);
}

struct SubnetCase {
  const char* what;
  Octets data;
  bool sound;
};

TEST(Rfc7871_7_1_2, SubnetOptionIsStrict) {
  const SubnetCase cases[] = {
      {"192.0.2.0/24", {0, 1, 24, 0, 192, 0, 2}, true},
      {"opt-out, IPv4", {0, 1, 0, 0}, true},
      {"opt-out, IPv6", {0, 2, 0, 0}, true},
      {"/25 with its bit", {0, 1, 25, 0, 192, 0, 2, 128}, true},
      {"/25 with a bit beyond", {0, 1, 25, 0, 192, 0, 2, 64}, false},
      {"too few octets", {0, 1, 24, 0, 192, 0}, false},
      {"too many octets", {0, 1, 24, 0, 192, 0, 2, 0}, false},
      {"scope in a query", {0, 1, 24, 24, 192, 0, 2}, false},
      {"prefix beyond IPv4", {0, 1, 33, 0, 192, 0, 2, 1, 128}, false},
      {"prefix beyond IPv6", join({{0, 2, 129, 0}, Octets(17, 0)}), false},
      {"whole IPv6", join({{0, 2, 128, 0}, Octets(16, 1)}), true},
      {"unknown family", {0, 3, 0, 0}, false},
      {"family 0", {0, 0, 0, 0}, false},
      {"empty", {}, false},
      {"cut off", {0, 1, 0}, false},
  };
  for (const SubnetCase& one : cases) {
    Request request;
    EXPECT_EQ(query_subnet_is_sound(one.data), one.sound) << one.what;
    EXPECT_EQ(parse_request(query().opt(option(8, one.data)), request),
              one.sound ? Verdict::accept : Verdict::format_error)
        << one.what;
    EXPECT_EQ(request.edns.subnet, one.sound) << one.what;
  }
}

TEST(Rfc8945_5_1, OtherAdditionalRecordsAreSteppedOver) {
  const auto tsig = [](MessageBuilder builder) {
    return builder.record(Section::additional, name("key"), RrType::tsig, 0, Octets(20, 1), 255);
  };
  Request request;
  EXPECT_EQ(parse_request(tsig(query().opt({}, 0x8000)), request), Verdict::accept);
  EXPECT_TRUE(request.edns.dnssec_ok);
  EXPECT_EQ(parse_request(tsig(query()).opt({}, 0x8000), request), Verdict::accept);
  EXPECT_TRUE(request.edns.dnssec_ok) << "OPT need not come first";
  EXPECT_EQ(
      verdict_of(query().record(Section::additional, pointer(12), RrType::a, 0, Octets(4, 1))),
      Verdict::accept);
  EXPECT_EQ(verdict_of(query().set_count(3, 1)), Verdict::format_error);
}

}  // namespace
}  // namespace dns
