// Making responses fit to keep. RFC 2181 §5.2, §8; RFC 2308; RFC 6891 §6.1.1; RFC 8020.
#include "dns/answer.h"

#include <gtest/gtest.h>

#include "dns/fit.h"
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
using test::u16;
using test::u32;

constexpr std::uint16_t response_flags = flag::qr | flag::rd | flag::ra;

MessageBuilder response(std::uint16_t flags = response_flags, RrType type = RrType::a) {
  return MessageBuilder(0x7777, flags).question(name("www.example.com"), type);
}

MessageBuilder address(std::uint32_t ttl = 300) {
  return response().record(Section::answer, pointer(12), RrType::a, ttl, {192, 0, 2, 1});
}

Octets soa(std::uint32_t minimum, const Octets& server = pointer(16),
           const Octets& mailbox = pointer(16)) {
  return join({server, mailbox, u32(1), u32(2), u32(3), u32(4), u32(minimum)});
}

/// Owner, type, TTL and rdata without compression, in order.
struct Plain {
  std::string owner;
  RrType type;
  std::uint32_t ttl;
  Octets rdata;
  bool operator==(const Plain&) const = default;
};

std::vector<Plain> records_of(base::Bytes wire) {
  std::vector<Plain> all;
  MessageWalk walk(wire);
  for (Record record; walk.next(record);) {
    Name owner;
    read_name(wire, record.offset, owner);
    const base::Bytes rdata = record.rdata(wire);
    all.push_back({owner.to_text(), record.type, record.ttl, {rdata.begin(), rdata.end()}});
  }
  EXPECT_TRUE(walk.complete()) << walk.fault().what << " at " << walk.fault().offset;
  return all;
}

bool refused(base::Bytes wire) {
  const auto kept = keep_answer(wire);
  if (kept) return false;
  EXPECT_EQ(kept.error().blame, base::Blame::upstream);
  EXPECT_EQ(kept.error().retry, base::Retry::other_upstream);
  EXPECT_FALSE(kept.error().context.empty());
  return true;
}

TEST(KeepAnswer, ClearsIdAndZAndKeepsTheRest) {
  const auto kept = keep_answer(response(response_flags | flag::z | flag::ad));
  ASSERT_TRUE(kept);
  EXPECT_EQ(base::load_u16(&kept->wire[0]), 0);
  EXPECT_EQ(kept->view().flags(), response_flags | flag::ad);
}

TEST(Rfc6891_6_1_1, OptIsTakenOut) {
  const auto with = keep_answer(address().opt(option(12, Octets(300, 0))));
  const auto without = keep_answer(address());
  ASSERT_TRUE(with && without);
  EXPECT_EQ(with->wire, without->wire);
  EXPECT_EQ(with->ttl_offsets, without->ttl_offsets);
}

TEST(Rfc6891_6_1_1, OptNeedNotBeTheLastRecord) {
  // The last record's names lead into what stands behind OPT: they move, and must still be right.
  auto wire = address().opt(option(12, Octets(99, 0)));
  const std::size_t mail = wire.size();
  wire.record(Section::additional, join({{4, 'm', 'a', 'i', 'l'}, pointer(16)}), RrType::aaaa, 60,
              Octets(16, 1));
  wire.record(Section::additional, pointer(mail), RrType::mx, 50,
              join({u16(10), {1, 'b'}, pointer(mail)}));
  const auto kept = keep_answer(wire);
  ASSERT_TRUE(kept) << kept.error().context;
  EXPECT_EQ(records_of(kept->wire),
            (std::vector<Plain>{
                {"www.example.com.", RrType::a, 300, {192, 0, 2, 1}},
                {"mail.example.com.", RrType::aaaa, 60, Octets(16, 1)},
                {"mail.example.com.", RrType::mx, 50, join({u16(10), name("b.mail.example.com")})},
            }));
  ASSERT_EQ(kept->ttl_offsets.size(), 3U);
  EXPECT_EQ(base::load_u32(&kept->wire[kept->ttl_offsets[2]]), 50U);
}

TEST(Rfc6891_6_1_3, ExtendedRcodeIsRead) {
  const auto kept = keep_answer(response(response_flags | 7).opt({}, 1U << 24));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->rcode, Rcode{23});
}

TEST(Rfc8914_2, FirstEdeIsKeptBeside) {
  const auto kept = keep_answer(
      address().opt(join({option(15, {0}), option(15, {0, 22, 'n', 'o'}), option(15, {0, 3})})));
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->has_ede);
  EXPECT_EQ(kept->ede, Ede::no_reachable_authority);
  EXPECT_EQ(kept->ede_text, "no");
}

TEST(Rfc2181_8, TtlWithTheTopBitIsZero) {
  EXPECT_EQ(records_of(keep_answer(address(0x80000001))->wire)[0].ttl, 0U);
  EXPECT_EQ(records_of(keep_answer(address(0x7FFFFFFF))->wire)[0].ttl, 0x7FFFFFFFU);
}

TEST(Rfc2181_5_2, RrsetSharesItsLeastTtl) {
  const auto kept =
      keep_answer(address(300)
                      .record(Section::answer, name("WWW.EXAMPLE.com"), RrType::a, 5, Octets(4, 2))
                      .record(Section::answer, pointer(12), RrType::aaaa, 600, Octets(16, 2))
                      .record(Section::answer, pointer(16), RrType::a, 700, Octets(4, 2))
                      .record(Section::additional, pointer(12), RrType::a, 400, Octets(4, 3)));
  ASSERT_TRUE(kept);
  std::vector<std::uint32_t> ttls;
  for (const Plain& record : records_of(kept->wire)) ttls.push_back(record.ttl);
  EXPECT_EQ(ttls, (std::vector<std::uint32_t>{5, 5, 600, 700, 5}));
}

TEST(Rfc4034_3, SignaturesBelongToTheSetTheyCover) {
  const auto signature = [](unsigned covered) {
    return join({u16(covered), Octets(16, 0), name("com"), {1}});
  };
  const auto kept =
      keep_answer(address()
                      .record(Section::answer, pointer(12), RrType::rrsig, 300, signature(1))
                      .record(Section::answer, pointer(12), RrType::rrsig, 20, signature(28)));
  EXPECT_EQ(records_of(kept->wire)[1].ttl, 300U);
  EXPECT_EQ(records_of(kept->wire)[2].ttl, 20U);
}

TEST(KeepAnswer, WhatIsNoResponseIsRefused) {
  EXPECT_TRUE(refused(response(flag::rd)));
  EXPECT_TRUE(refused(response(flag::qr | 4U << 11)));
  EXPECT_TRUE(refused(MessageBuilder(1, flag::qr)));
  EXPECT_TRUE(refused(response().question(name("b"))));
  EXPECT_TRUE(refused(Octets(11, 0)));
  EXPECT_TRUE(refused(Octets{}));
}

TEST(KeepAnswer, EveryShorterOrLongerMessageIsRefused) {
  const Octets whole =
      address().record(Section::authority, pointer(16), RrType::soa, 9, soa(7)).opt().wire();
  ASSERT_TRUE(keep_answer(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(refused(base::Bytes{whole}.first(size))) << size;
  }
  EXPECT_TRUE(refused(join({whole, {0}})));
}

TEST(Rfc6891_6_1_1, OptIsAloneInTheAdditionalSection) {
  EXPECT_TRUE(refused(address().opt().opt()));
  EXPECT_TRUE(refused(response().record(Section::answer, name("."), RrType::opt, 0, {})));
  EXPECT_TRUE(refused(response().record(Section::additional, name("a"), RrType::opt, 0, {})));
  EXPECT_TRUE(refused(response().opt({0, 15, 0, 9})));
}

TEST(Rfc3597_4, NamesInRdataAreChecked) {
  const auto with = [](RrType type, const Octets& rdata) {
    return response().record(Section::answer, pointer(12), type, 1, rdata);
  };
  const Octets strings{0, 0, 0};
  const std::pair<RrType, Octets> heads[] = {
      {RrType::ns, {}},
      {RrType::cname, {}},
      {RrType::ptr, {}},
      {RrType::md, {}},
      {RrType::mf, {}},
      {RrType::mb, {}},
      {RrType::mg, {}},
      {RrType::mr, {}},
      {RrType::dname, {}},
      {RrType::mx, u16(1)},
      {RrType::rt, u16(1)},
      {RrType::afsdb, u16(1)},
      {RrType::kx, u16(1)},
      {RrType::srv, Octets(6, 0)},
      {RrType::naptr, join({Octets(4, 0), strings})},
      {RrType::minfo, name(".")},
      {RrType::rp, name(".")},
      {RrType::px, join({u16(1), name(".")})},
  };
  for (const auto& [type, head] : heads) {
    const std::size_t here = response().size() + 12 + head.size();
    EXPECT_FALSE(refused(with(type, join({head, pointer(12)})))) << to_text(type);
    EXPECT_TRUE(refused(with(type, join({head, pointer(here)})))) << to_text(type) << " to itself";
    EXPECT_TRUE(refused(with(type, join({head, {3, 'a'}})))) << to_text(type) << " cut off";
    EXPECT_TRUE(refused(with(type, head))) << to_text(type) << " without name";
    EXPECT_TRUE(refused(with(type, join({head, name("a"), {0}}))))
        << to_text(type) << " with more behind";
  }
  EXPECT_FALSE(refused(with(RrType{65280}, pointer(4000)))) << "unknown types are opaque";
}

TEST(Rfc3597_4, SizesOfAddressesAndSoaAreChecked) {
  const auto with = [](RrType type, std::size_t size, unsigned klass = 1) {
    return refused(
        response().record(Section::answer, pointer(12), type, 1, Octets(size, 0), klass));
  };
  EXPECT_FALSE(with(RrType::a, 4));
  EXPECT_TRUE(with(RrType::a, 3));
  EXPECT_TRUE(with(RrType::a, 5));
  EXPECT_FALSE(with(RrType::a, 5, 3)) << "CHAOS has another A";
  EXPECT_FALSE(with(RrType::aaaa, 16));
  EXPECT_TRUE(with(RrType::aaaa, 4));
  EXPECT_FALSE(with(RrType::soa, 22));
  EXPECT_TRUE(with(RrType::soa, 21));
  EXPECT_TRUE(with(RrType::soa, 23));
  EXPECT_FALSE(with(RrType::sig, 19));
  EXPECT_TRUE(with(RrType::sig, 18));
  EXPECT_FALSE(with(RrType::nxt, 1));
  EXPECT_TRUE(with(RrType::nxt, 0));
}

TEST(Rfc8945_5_4, TransactionSignatureStaysBehind) {
  const auto kept = keep_answer(
      address().opt().record(Section::additional, name("key"), RrType::tsig, 0, Octets(9, 1), 255));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->wire, keep_answer(address())->wire);
}

TEST(Rfc1035_4_1_4, NamesMadeOfATtlAreWrittenOut) {
  auto wire = response().record(Section::answer, pointer(12), RrType::txt, 0x01610000, {0});
  const std::size_t ttl = wire.size() - 7;  // reads as the name "a."
  wire.record(Section::answer, pointer(ttl), RrType::cname, 300, pointer(ttl));
  auto kept = keep_answer(wire);
  ASSERT_TRUE(kept);
  clamp_ttls(*kept, 30, 30);
  EXPECT_EQ(records_of(kept->wire)[1], (Plain{"a.", RrType::cname, 30, name("a")}));
}

TEST(Rfc1035_4_1_4, PointersToNamesOfAnyKnownTypeStay) {
  auto wire = response().record(Section::answer, pointer(12), RrType::srv, 9,
                                join({Octets(6, 0), name("host.net")}));
  wire.record(Section::additional, pointer(wire.size() - 10), RrType::a, 9, Octets(4, 1));
  wire.record(Section::additional, pointer(wire.size() - 16 - 5), RrType::a, 9, Octets(4, 1));
  const auto kept = keep_answer(wire);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->wire.size(), wire.size());
}

TEST(KeepAnswer, LetterCaseOfTheNextClientReachesPointers) {
  const auto kept = keep_answer(address());
  Request request;
  parse_request(MessageBuilder(9).question(name("WwW.eXaMpLe.CoM")), request);
  Octets out(512);
  const std::size_t size = fit(request, kept->view(), {}, out);
  EXPECT_EQ(records_of(base::Bytes{out}.first(size))[0].owner, "WwW.eXaMpLe.CoM.");
}

TEST(KeepAnswer, ThousandsOfRecordsInTheLargestMessage) {
  auto wire = response();
  while (wire.size() + 16 <= message_size_max) {
    wire.record(Section::answer, pointer(12), RrType::a,
                300 + static_cast<std::uint32_t>(wire.size()), Octets(4, 1));
  }
  const auto kept = keep_answer(wire);
  ASSERT_TRUE(kept);
  EXPECT_GT(kept->ttl_offsets.size(), 4000U);
  EXPECT_EQ(base::load_u32(&kept->wire[kept->ttl_offsets.back()]), 333U);
  EXPECT_TRUE(refused(wire.append(Octets(16, 0))));
}

TEST(KeepAnswer, WhatGrowsBeyondTheLargestMessageIsRefused) {
  auto wire = MessageBuilder(1, response_flags).question(test::name_of_size(255)).opt();
  while (wire.size() + 16 <= message_size_max) {
    wire.record(Section::additional, pointer(12), RrType::a, 1, Octets(4, 1));
  }
  EXPECT_TRUE(refused(wire));
}

TEST(Rfc2308_2, KindsOfAnswers) {
  const auto kind = [](const MessageBuilder& wire) {
    return facts_of(keep_answer(wire)->view()).kind;
  };
  const Octets target = name("elsewhere");
  const auto alias = [&](std::uint16_t flags = response_flags) {
    return response(flags).record(Section::answer, pointer(12), RrType::cname, 60, target);
  };
  EXPECT_EQ(kind(address()), AnswerKind::positive);
  EXPECT_EQ(kind(alias().record(Section::answer, target, RrType::a, 60, Octets(4, 1))),
            AnswerKind::positive);
  EXPECT_EQ(kind(alias()), AnswerKind::nodata);
  EXPECT_EQ(kind(response()), AnswerKind::nodata);
  EXPECT_EQ(kind(alias(response_flags | 3)), AnswerKind::nxdomain);
  EXPECT_EQ(kind(response(response_flags | 2)), AnswerKind::failure);
  EXPECT_EQ(kind(response(response_flags | 5)), AnswerKind::failure);
  EXPECT_EQ(kind(response(response_flags).opt({}, 1U << 24)), AnswerKind::failure) << "rcode 16";
  EXPECT_EQ(kind(response(response_flags, RrType::cname)
                     .record(Section::answer, pointer(12), RrType::cname, 60, target)),
            AnswerKind::positive);
  EXPECT_EQ(kind(response(response_flags, RrType::any)
                     .record(Section::answer, pointer(12), RrType::txt, 60, {0})),
            AnswerKind::positive);
}

TEST(Rfc2308_5, NegativeTtlIsTheLesserOfSoaTtlAndMinimum) {
  const auto facts = [](std::uint32_t ttl, std::uint32_t minimum) {
    return facts_of(
        keep_answer(response(response_flags | 3)
                        .record(Section::authority, pointer(16), RrType::soa, ttl, soa(minimum)))
            ->view());
  };
  EXPECT_EQ(facts(100, 7).negative_ttl, 7U);
  EXPECT_EQ(facts(7, 100).negative_ttl, 7U);
  EXPECT_TRUE(facts(7, 100).has_soa);
  EXPECT_TRUE(facts(7, 100).answer_section_empty);
  EXPECT_FALSE(facts_of(keep_answer(address())->view()).has_soa);
  EXPECT_FALSE(facts_of(keep_answer(response())->view()).has_ttl);
}

TEST(AnswerFacts, LeastTtlIsOverAllRecordsButOpt) {
  const auto facts = facts_of(
      keep_answer(
          address(300).record(Section::authority, pointer(16), RrType::ns, 20, name("a")).opt())
          ->view());
  EXPECT_TRUE(facts.has_ttl);
  EXPECT_EQ(facts.least_ttl, 20U);
}

TEST(ClampTtls, BringsAllIntoBounds) {
  auto kept =
      *keep_answer(address(5).record(Section::authority, pointer(16), RrType::ns, 900, name("a")));
  clamp_ttls(kept, 10, 600);
  EXPECT_EQ(records_of(kept.wire)[0].ttl, 10U);
  EXPECT_EQ(records_of(kept.wire)[1].ttl, 600U);
}

TEST(Rfc8020_2, NxdomainIsMadeForANameBelow) {
  auto wire = MessageBuilder(1, response_flags | flag::ad | 3).question(name("gone.example.com"));
  wire.record(Section::answer, pointer(12), RrType::cname, 5, pointer(17));
  wire.record(Section::authority, pointer(17), RrType::soa, 80,
              soa(60, join({{2, 'n', 's'}, pointer(17)}),
                  join({{5, 'a', 'd', 'm', 'i', 'n'}, pointer(12)})));
  wire.record(Section::authority, pointer(12), RrType::nsec, 70,
              join({name("h.example.com"), {0, 1, 0x40}}));
  wire.record(Section::additional, pointer(17), RrType::a, 70, Octets(4, 1));
  const auto cut = keep_answer(wire.opt(option(15, {0, 6, 'x'})));
  ASSERT_TRUE(cut) << cut.error().context;

  const Question below{*Name::from_text("a.b.GONE.example.com"), RrType::txt, RrClass::in};
  const KeptAnswer made = nxdomain_below(cut->view(), below);
  EXPECT_EQ(made.rcode, Rcode::nxdomain);
  EXPECT_EQ(made.view().flags() & (flag::ad | 15), flag::ad | 3);
  EXPECT_EQ(made.ede_text, "x");
  MessageWalk walk(made.wire);
  EXPECT_EQ(walk.question(), below);
  EXPECT_EQ(
      records_of(made.wire),
      (std::vector<Plain>{
          {"example.com.", RrType::soa, 80,
           soa(60, name("ns.example.com"), name("admin.gone.example.com"))},
          {"gone.example.com.", RrType::nsec, 70, join({name("h.example.com"), {0, 1, 0x40}})},
      }));
  ASSERT_EQ(made.ttl_offsets.size(), 2U);
  EXPECT_EQ(base::load_u32(&made.wire[made.ttl_offsets[1]]), 70U);
  EXPECT_EQ(facts_of(made.view()).negative_ttl, 60U);
}

TEST(Rfc8020_2, NxdomainBelowNeverOutgrowsAMessage) {
  auto wire = MessageBuilder(1, response_flags | 3).question(test::name_of_size(255));
  while (wire.size() + 16 <= message_size_max) {
    wire.record(Section::authority, pointer(12), RrType::a, 1, Octets(4, 1));
  }
  const auto cut = keep_answer(wire);
  ASSERT_TRUE(cut);
  const KeptAnswer made =
      nxdomain_below(cut->view(), {*Name::from_text("a"), RrType::a, RrClass::in});
  EXPECT_LE(made.wire.size(), message_size_max);
  EXPECT_EQ(records_of(made.wire).size(), made.ttl_offsets.size());
  EXPECT_GT(made.ttl_offsets.size(), 200U);
}

}  // namespace
}  // namespace dns
