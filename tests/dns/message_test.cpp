// Walking a message: what comes out, and where it ends when it is malformed. RFC 1035 §4.1, RFC
// 6891.
#include "dns/message.h"

#include <gtest/gtest.h>

#include "tests/dns/message_builder.h"

namespace dns {
namespace {

using test::MessageBuilder;
using test::name;
using test::Octets;
using test::option;
using test::pointer;

MessageBuilder sample() {
  return MessageBuilder(7, flag::qr | 3)
      .question(name("example.com"), RrType::mx)
      .record(Section::answer, pointer(12), RrType::mx, 60, {0, 10, 0xC0, 12})
      .record(Section::authority, pointer(20), RrType::ns, 70, name("a"))
      .opt(option(15, {0, 3}), 0x01008000)
      .record(Section::additional, name("a"), RrType{65280}, 80, {1, 2, 3});
}

TEST(MessageWalk, GivesHeaderQuestionAndRecordsInOrder) {
  const auto wire = sample();
  MessageWalk walk(wire);
  EXPECT_EQ(walk.id(), 7);
  EXPECT_EQ(walk.opcode(), Opcode::query);
  EXPECT_EQ(walk.question_count(), 1);
  EXPECT_EQ(walk.question().name.to_text(), "example.com.");
  EXPECT_EQ(walk.question().type, RrType::mx);
  EXPECT_EQ(walk.count(Section::additional), 2);

  Record record;
  ASSERT_TRUE(walk.next(record));
  EXPECT_EQ(record.section, Section::answer);
  EXPECT_EQ(record.type, RrType::mx);
  EXPECT_EQ(record.ttl, 60U);
  EXPECT_EQ(base::load_u32(&wire.wire()[record.ttl_offset()]), 60U);
  EXPECT_EQ(record.offset, walk.records_offset());
  ASSERT_TRUE(walk.next(record));
  EXPECT_EQ(record.section, Section::authority);
  EXPECT_EQ(walk.rcode(), Rcode::nxdomain) << "OPT has not been passed yet";
  ASSERT_TRUE(walk.next(record));
  EXPECT_EQ(record.section, Section::additional);
  EXPECT_EQ(record.type, RrType{65280});
  EXPECT_EQ(record.rdata(wire).size(), 3U);
  EXPECT_EQ(record.end(), wire.size());
  EXPECT_FALSE(walk.complete()) << "what stands behind has not been looked at";
  EXPECT_FALSE(walk.next(record));
  EXPECT_TRUE(walk.complete());
  EXPECT_FALSE(walk.next(record)) << "and so it stays";

  ASSERT_TRUE(walk.opt());
  EXPECT_EQ(opt_fields(*walk.opt()).udp_size, 1232);
  EXPECT_EQ(opt_fields(*walk.opt()).extended_rcode, 1);
  EXPECT_EQ(opt_fields(*walk.opt()).flags, 0x8000);
  EXPECT_EQ(walk.rcode(), Rcode{19});
}

std::string fault_of(base::Bytes wire) {
  MessageWalk walk(wire);
  for (Record record; walk.next(record);) {
  }
  return walk.complete()
             ? std::string{}
             : std::string{walk.fault().what} + " @" + std::to_string(walk.fault().offset);
}

TEST(MessageWalk, SaysWhereAndWhyItEnds) {
  const auto query = MessageBuilder().question(name("a"));  // 19 octets
  const auto with = [&](RrType type, const Octets& rdata, Section section = Section::answer) {
    return MessageBuilder(query).record(section, pointer(12), type, 1, rdata);
  };
  EXPECT_EQ(fault_of(Octets(11, 0)), "header @11");
  EXPECT_EQ(fault_of(MessageBuilder().set_count(0, 1)), "question @12");
  EXPECT_EQ(fault_of(MessageBuilder().append(name("a")).append({0, 1, 0}).set_count(0, 1)),
            "question @12");
  EXPECT_EQ(fault_of(MessageBuilder(query).append(pointer(19)).set_count(1, 1)), "owner name @19");
  EXPECT_EQ(fault_of(MessageBuilder(query).append({0, 0}).set_count(1, 1)), "record cut off @20");
  EXPECT_EQ(fault_of(with(RrType::txt, {}).append({0}).set_count(1, 2)), "record cut off @32");
  EXPECT_EQ(fault_of(with(RrType::a, {1})), "rdata @31");
  EXPECT_EQ(
      fault_of(MessageBuilder(query).append({0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1}).set_count(1, 1)),
      "rdata cut off @30");
  EXPECT_EQ(fault_of(MessageBuilder(query).append({9})), "octets behind the last record @19");
  EXPECT_EQ(fault_of(MessageBuilder(query).opt().opt()), "a second OPT @30");
  EXPECT_EQ(fault_of(MessageBuilder(query).opt({0})), "EDNS options @19");
  EXPECT_EQ(
      fault_of(MessageBuilder(query).record(Section::additional, name("a"), RrType::opt, 0, {})),
      "OPT that the root does not own @19");
  EXPECT_EQ(fault_of(MessageBuilder(query).record(Section::answer, name("."), RrType::opt, 0, {})),
            "OPT outside the additional section @19");
}

TEST(MessageWalk, ReadsSeveralQuestionsAndKeepsTheFirst) {
  const auto wire = MessageBuilder().question(name("a")).question(pointer(12), RrType::txt);
  MessageWalk walk(wire);
  Record record;
  EXPECT_FALSE(walk.next(record));
  EXPECT_TRUE(walk.complete());
  EXPECT_EQ(walk.question().type, RrType::a);
  EXPECT_EQ(walk.records_offset(), wire.size());
}

TEST(MessageWalk, CountsThatLieEndTheWalkAtOnce) {
  const auto wire = MessageBuilder().set_count(0, 65535).set_count(1, 65535).set_count(3, 65535);
  EXPECT_EQ(fault_of(wire), "question @12");
  EXPECT_EQ(fault_of(MessageBuilder().question(name("a")).set_count(2, 65535)), "owner name @19");
}

}  // namespace
}  // namespace dns
