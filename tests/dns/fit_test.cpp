// Answers as clients get them: flags, size, EDNS, padding, EDE. Read back with the strict walk.
#include "dns/fit.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dns/edns.h"
#include "dns/message.h"
#include "tests/dns/message_builder.h"

namespace dns {
namespace {

using test::join;
using test::MessageBuilder;
using test::name;
using test::Octets;
using test::option;
using test::pointer;

Request parsed(const MessageBuilder& wire) {
  Request request;
  parse_request(wire, request);
  return request;
}

MessageBuilder query(std::uint16_t flags = flag::rd) {
  return MessageBuilder(0x4242, flags).question(name("WWW.Example.com"));
}

KeptAnswer kept(std::uint16_t flags = flag::qr | flag::rd | flag::ra, std::size_t records = 2) {
  MessageBuilder response(7, flags);
  response.question(name("www.example.com"));
  for (std::size_t i = 0; i < records; ++i) {
    response.record(Section::answer, pointer(12), RrType::a, 300,
                    {192, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)});
  }
  return *keep_answer(response);
}

/// What a client reads; fails the test when the message is not strictly sound.
struct Received {
  Octets wire;
  std::uint16_t id = 0;
  std::uint16_t flags = 0;
  Rcode rcode = Rcode::noerror;
  std::optional<Record> opt;
  std::vector<Record> records;

  [[nodiscard]] std::optional<Octets> option_data(EdnsOption wanted) const {
    if (!opt) return std::nullopt;
    OptionReader options(opt->rdata(wire));
    EdnsOption code{};
    base::Bytes data;
    while (options.next(code, data)) {
      if (code == wanted) return Octets(data.begin(), data.end());
    }
    return std::nullopt;
  }
};

Received read(base::Bytes wire) {
  MessageWalk walk(wire);
  Received received{.wire = {wire.begin(), wire.end()}, .opt = {}, .records = {}};
  for (Record record; walk.next(record);) received.records.push_back(record);
  EXPECT_TRUE(walk.complete()) << walk.fault().what << " at " << walk.fault().offset;
  received.id = walk.id();
  received.flags = walk.flags();
  received.rcode = walk.rcode();
  received.opt = walk.opt();
  return received;
}

Received fitted(const Request& request, const KeptAnswer& answer, const FitOptions& options = {},
                std::size_t room = 65535) {
  Octets out(room, 0xEE);
  const std::size_t size = fit(request, answer.view(), options, out);
  EXPECT_LE(size, std::min(room, options.size_limit));
  return read(base::Bytes{out}.first(size));
}

Received fitted_empty(const Request& request, Rcode rcode, const FitOptions& options = {}) {
  Octets out(65535);
  return read(base::Bytes{out}.first(fit_empty(request, rcode, options, out)));
}

TEST(Rfc1035_4_1_1, IdAndRdAreTheClientsAndZIsGone) {
  for (const std::uint16_t rd : {flag::rd, std::uint16_t{0}}) {
    const auto answer = kept(flag::qr | flag::rd | flag::aa | flag::z);
    const Received received =
        fitted(parsed(query(static_cast<std::uint16_t>(rd | flag::z))), answer);
    EXPECT_EQ(received.id, 0x4242);
    EXPECT_EQ(received.flags, flag::qr | flag::ra | rd);
  }
}

TEST(Rfc4343_4_1, LetterCaseIsTheClients) {
  const Received received = fitted(parsed(query()), kept());
  Name owner;
  ASSERT_NE(read_name(received.wire, received.records[0].offset, owner), 0U);
  EXPECT_EQ(owner.to_text(), "WWW.Example.com.") << "pointers to the question follow it";
}

TEST(Rfc4035_3_2_2, CdIsCopied) {
  EXPECT_EQ(fitted(parsed(query(flag::rd | flag::cd)), kept()).flags & flag::cd, flag::cd);
  EXPECT_EQ(fitted(parsed(query()), kept(flag::qr | flag::cd)).flags & flag::cd, 0);
}

TEST(Rfc6840_5_8, AdOnlyForThoseWhoAsk) {
  const auto authentic = kept(flag::qr | flag::ad);
  EXPECT_EQ(fitted(parsed(query()), authentic).flags & flag::ad, 0);
  EXPECT_EQ(fitted(parsed(query().opt()), authentic).flags & flag::ad, 0);
  EXPECT_EQ(fitted(parsed(query(flag::ad)), authentic).flags & flag::ad, flag::ad);
  EXPECT_EQ(fitted(parsed(query().opt({}, 0x8000)), authentic).flags & flag::ad, flag::ad);
  EXPECT_EQ(fitted(parsed(query(flag::ad)), kept()).flags & flag::ad, 0);
}

TEST(Rfc6891_6_1_1, OptOnlyForThoseWhoSentOne) {
  EXPECT_FALSE(fitted(parsed(query()), kept()).opt);
  const Received received = fitted(parsed(query().opt({}, 0x8000)), kept(), {.our_udp_size = 1400});
  ASSERT_TRUE(received.opt);
  const OptFields fields = opt_fields(*received.opt);
  EXPECT_EQ(fields.udp_size, 1400);
  EXPECT_EQ(fields.version, 0);
  EXPECT_EQ(fields.flags, 0x8000) << "RFC 3225 §3: DO is copied";
}

TEST(Rfc5625_4_4, TruncationIsNeverTakenBack) {
  EXPECT_EQ(fitted(parsed(query()), kept(flag::qr | flag::tc)).flags & flag::tc, flag::tc);
}

TEST(Rfc1035_4_2_1, TooLargeBecomesHeaderQuestionAndOpt) {
  const auto large = kept(flag::qr, 100);
  const Received plain = fitted(parsed(query()), large, {.size_limit = 512});
  EXPECT_EQ(plain.flags & flag::tc, flag::tc);
  EXPECT_TRUE(plain.records.empty());
  EXPECT_FALSE(plain.opt);
  EXPECT_EQ(plain.wire.size(), 12U + 17 + 4);
  const Received edns = fitted(parsed(query().opt()), large, {.size_limit = 1232});
  EXPECT_EQ(edns.flags & flag::tc, flag::tc);
  EXPECT_TRUE(edns.opt) << "RFC 6891 §7";
}

TEST(Rfc1035_4_2_1, ExactFitIsNotTruncated) {
  const auto answer = kept();
  const std::size_t size = answer.wire.size();
  EXPECT_EQ(fitted(parsed(query()), answer, {.size_limit = size}).records.size(), 2U);
  EXPECT_TRUE(fitted(parsed(query()), answer, {.size_limit = size - 1}).records.empty());
  EXPECT_EQ(fitted(parsed(query().opt()), answer, {.size_limit = size + 11}).records.size(), 2U);
  EXPECT_TRUE(fitted(parsed(query().opt()), answer, {.size_limit = size + 10}).records.empty());
}

TEST(Rfc1035_4_2_1, TruncationOnDemandLeavesHeaderQuestionAndOpt) {
  const Received received = fitted(parsed(query().opt()), kept(), {.truncate = true});
  EXPECT_EQ(received.flags & flag::tc, flag::tc);
  EXPECT_TRUE(received.records.empty());
  EXPECT_TRUE(received.opt);
  EXPECT_EQ(fitted_empty(parsed(query()), Rcode::noerror, {.truncate = true}).flags & flag::tc,
            flag::tc);
}

TEST(Fit, TtlsAgeAndNeverWrap) {
  const Received received = fitted(parsed(query()), kept(), {.age = 100});
  EXPECT_EQ(received.records[0].ttl, 200U);
  EXPECT_EQ(received.records[1].ttl, 200U);
  EXPECT_EQ(fitted(parsed(query()), kept(), {.age = 301}).records[0].ttl, 0U);
}

TEST(Rfc8767_4, StaleTtlIsFixed) {
  EXPECT_EQ(fitted(parsed(query()), kept(), {.age = 100, .fixed_ttl = 30}).records[1].ttl, 30U);
}

TEST(Rfc8020_2, NxdomainServesEveryType) {
  Octets out(512);
  const Request request =
      parsed(MessageBuilder().question(name("www.example.com"), RrType::txt, RrClass::in));
  const std::size_t size = fit(request, kept().view(), {}, out);
  MessageWalk walk(base::Bytes{out}.first(size));
  EXPECT_EQ(walk.question().type, RrType::txt);
}

TEST(Fit, AnswerToANameOfAnotherSizeIsServfail) {
  const Request request = parsed(MessageBuilder().question(name("example.com")));
  EXPECT_EQ(fitted(request, kept()).rcode, Rcode::servfail);
}

TEST(Rfc8914_3, EdeIsShortenedBeforeTheAnswerIs) {
  const auto answer = kept();
  const std::size_t size = answer.wire.size() + 11;
  const auto with_limit = [&](std::size_t limit) {
    return fitted(parsed(query().opt()), answer,
                  {.size_limit = limit, .ede = EdeNote{Ede::blocked, "by list"}});
  };
  EXPECT_EQ(with_limit(size + 13).option_data(EdnsOption::ede)->size(), 2U + 7);
  EXPECT_EQ(with_limit(size + 12).option_data(EdnsOption::ede), (Octets{0, 15}));
  EXPECT_EQ(with_limit(size + 6).option_data(EdnsOption::ede), (Octets{0, 15}));
  const Received none = with_limit(size + 5);
  EXPECT_EQ(none.option_data(EdnsOption::ede), std::nullopt);
  EXPECT_EQ(none.records.size(), 2U);
}

TEST(Rfc8914_2, EdeOfTheAnswerIsPassedOnUnlessThereIsAnother) {
  auto answer = kept();
  answer.has_ede = true;
  answer.ede = Ede::network_error;
  answer.ede_text = "x";
  EXPECT_EQ(fitted(parsed(query().opt()), answer).option_data(EdnsOption::ede),
            (Octets{0, 23, 'x'}));
  EXPECT_EQ(fitted(parsed(query().opt()), answer, {.ede = EdeNote{Ede::stale_answer, {}}})
                .option_data(EdnsOption::ede),
            (Octets{0, 3}));
  EXPECT_FALSE(fitted(parsed(query()), answer).opt);
}

TEST(Rfc8467_4_1, AnswersArePaddedToBlocksCountingEverything) {
  const std::array<std::uint8_t, 16> cookie{1};
  const Request request = parsed(query().opt(join({option(12, {}), option(10, Octets(8, 9))})));
  for (std::size_t records = 0; records < 100; ++records) {
    const Received received = fitted(request, kept(flag::qr, records),
                                     {.padding_block = 468,
                                      .keepalive = 300,
                                      .server_cookie = &cookie,
                                      .ede = EdeNote{Ede::filtered, "text"}});
    EXPECT_EQ(received.wire.size() % 468, 0U) << records;
    EXPECT_TRUE(received.option_data(EdnsOption::ede));
  }
}

TEST(Rfc7830_4, PaddingNeverExceedsTheLimit) {
  const Request request = parsed(query().opt(option(12, {})));
  const auto answer = kept();
  const std::size_t bare = answer.wire.size() + 11;
  EXPECT_EQ(fitted(request, answer, {.size_limit = 200, .padding_block = 468}).wire.size(), 200U);
  EXPECT_EQ(fitted(request, answer, {.size_limit = bare + 4, .padding_block = 468}).wire.size(),
            bare + 4);
  const Received none = fitted(request, answer, {.size_limit = bare + 3, .padding_block = 468});
  EXPECT_EQ(none.wire.size(), bare);
  EXPECT_EQ(none.option_data(EdnsOption::padding), std::nullopt);
}

TEST(Rfc7830_3, PaddingIsZerosAndNeedsEdns) {
  const Received padded =
      fitted(parsed(query().opt(option(12, {}))), kept(), {.padding_block = 468});
  const auto octets = padded.option_data(EdnsOption::padding);
  ASSERT_TRUE(octets);
  EXPECT_EQ(std::ranges::count(*octets, 0), static_cast<std::ptrdiff_t>(octets->size()));
  EXPECT_FALSE(fitted(parsed(query()), kept(), {.padding_block = 468}).opt);
}

TEST(Rfc7873_5_2_3, ServerCookieStandsBehindTheClients) {
  const std::array<std::uint8_t, 16> cookie{1, 2};
  const Request request = parsed(query().opt(option(10, Octets(24, 9))));
  const auto sent =
      fitted(request, kept(), {.server_cookie = &cookie}).option_data(EdnsOption::cookie);
  EXPECT_EQ(sent, join({Octets(8, 9), Octets(cookie.begin(), cookie.end())}));
  EXPECT_EQ(fitted(parsed(query().opt()), kept(), {.server_cookie = &cookie})
                .option_data(EdnsOption::cookie),
            std::nullopt);
}

TEST(Rfc7828_3_3_2, KeepaliveIsTheTimeoutInTenths) {
  EXPECT_EQ(fitted(parsed(query().opt()), kept(), {.keepalive = 300})
                .option_data(EdnsOption::tcp_keepalive),
            (Octets{1, 44}));
}

TEST(Rfc5001_2_3, NsidIsNotAnswered) {
  EXPECT_EQ(fitted(parsed(query().opt(option(3, {}))), kept()).opt->rdata_size, 0);
}

TEST(Rfc6891_6_1_3, BadversUsesTheExtendedRcode) {
  const Received received =
      fitted_empty(parsed(query().opt({}, 1U << 16)), rcode_of(Verdict::bad_version));
  EXPECT_EQ(received.rcode, Rcode::badvers);
  EXPECT_EQ(received.flags & 15, 0);
  EXPECT_EQ(opt_fields(*received.opt).version, 0);
}

TEST(Rfc6891_6_1_3, ExtendedRcodeWithoutEdnsIsServfail) {
  auto answer = kept();
  answer.rcode = Rcode::badcookie;
  EXPECT_EQ(fitted(parsed(query()), answer).rcode, Rcode::servfail);
  EXPECT_EQ(fitted(parsed(query().opt()), answer).rcode, Rcode::badcookie);
}

TEST(Rfc1035_4_1_1, RefusalsEchoOpcodeAndReadableQuestion) {
  const std::uint16_t notify = 4 << 11;
  const Received received =
      fitted_empty(parsed(MessageBuilder(1, notify | flag::rd).question(name("a"))), Rcode::notimp);
  EXPECT_EQ(received.flags, flag::qr | flag::ra | flag::rd | notify | 4);
  EXPECT_EQ(base::load_u16(&received.wire[4]), 1);
  const Received unreadable =
      fitted_empty(parsed(MessageBuilder().append({0xFF}).set_count(0, 1)), Rcode::formerr);
  EXPECT_EQ(unreadable.wire.size(), header_size);
  EXPECT_EQ(unreadable.rcode, Rcode::formerr);
}

TEST(Fit, LongestQuestionWithEverythingFitsInto512) {
  const std::array<std::uint8_t, 16> cookie{};
  const auto wire =
      MessageBuilder().question(test::name_of_size(255)).opt(option(10, Octets(8, 9)));
  const std::string text(400, 'x');
  const Received received = fitted_empty(parsed(wire), Rcode::refused,
                                         {.size_limit = 512,
                                          .keepalive = 0,
                                          .server_cookie = &cookie,
                                          .ede = EdeNote{Ede::prohibited, text}});
  EXPECT_EQ(received.option_data(EdnsOption::ede), (Octets{0, 18}));
  EXPECT_TRUE(received.option_data(EdnsOption::cookie));
}

TEST(Fit, TooLittleRoomIsSaid) {
  Octets out(20);
  EXPECT_EQ(fit(parsed(query()), kept().view(), {}, out), 0U);
  EXPECT_EQ(fit_empty(parsed(query()), Rcode::servfail, {}, out), 0U);
}

}  // namespace
}  // namespace dns
