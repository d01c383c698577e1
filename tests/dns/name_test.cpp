// Names: reading with bounded work, comparing, printing. RFC 1035 §2.3.4, §4.1.4, §5.1; RFC 4343.
#include "dns/name.h"

#include <gtest/gtest.h>

#include "tests/dns/message_builder.h"

namespace dns {
namespace {

using test::join;
using test::name;
using test::name_of_size;
using test::Octets;
using test::pointer;

/// A header's room, then the octets: names begin at 12.
Octets behind_header(const Octets& octets) { return join({Octets(header_size, 0), octets}); }

TEST(Rfc1035_4_1_4, PointerLeadsToAnEarlierName) {
  const Octets message =
      behind_header(join({name("example.com"), {3, 'w', 'w', 'w'}, pointer(12)}));
  Name out;
  EXPECT_EQ(read_name(message, 25, out), message.size());
  EXPECT_EQ(out.to_text(), "www.example.com.");
  EXPECT_EQ(skip_name(message, 25), message.size());
}

TEST(Rfc1035_4_1_4, SelfPointerIsRefused) {
  const Octets message = behind_header(pointer(12));
  Name out;
  EXPECT_EQ(read_name(message, 12, out), 0U);
}

TEST(Rfc1035_4_1_4, PointerIntoItsOwnNameIsRefused) {
  const Octets message = behind_header(join({{1, 'a'}, pointer(12)}));
  EXPECT_EQ(skip_name(message, 12), 0U);
}

TEST(Rfc1035_4_1_4, ForwardPointerIsRefused) {
  const Octets message = behind_header(join({pointer(14), name("a")}));
  EXPECT_EQ(skip_name(message, 12), 0U);
}

TEST(Rfc1035_4_1_4, TwoPointersAtEachOtherAreRefused) {
  const Octets message = behind_header(join({pointer(14), pointer(12)}));
  EXPECT_EQ(skip_name(message, 12), 0U);
  EXPECT_EQ(skip_name(message, 14), 0U);
}

TEST(Rfc1035_4_1_4, PointerIntoTheHeaderIsRefused) {
  const Octets message = behind_header(pointer(11));
  EXPECT_EQ(skip_name(message, 12), 0U);
}

TEST(Rfc1035_4_1_4, PointerCutInHalfIsRefused) {
  EXPECT_EQ(skip_name(behind_header({0xC0}), 12), 0U);
}

TEST(Rfc1035_4_1_4, LadderOfPointersIsBounded) {
  Octets message = behind_header({0});
  for (std::size_t i = 0; i < 200; ++i)
    message = join({message, pointer(i == 0 ? 12 : message.size() - 2)});
  EXPECT_EQ(skip_name(message, 13 + 2 * 126), 13U + 2 * 127) << "127 pointers lead home";
  EXPECT_EQ(skip_name(message, 13 + 2 * 127), 0U) << "128 are too many";
}

TEST(Rfc1035_4_1_4, ReservedLabelTypesAreRefused) {
  for (const std::uint8_t length : {0x40, 0x80}) {
    EXPECT_EQ(skip_name(behind_header({length, 'a', 0}), 12), 0U) << int{length};
  }
}

TEST(Rfc1035_2_3_4, NamesOf255OctetsAreReadAnd256Refused) {
  Name out;
  EXPECT_EQ(read_name(behind_header(name_of_size(255)), 12, out), 12U + 255);
  EXPECT_EQ(out.size(), 255U);
  EXPECT_EQ(skip_plain_name(behind_header(name_of_size(255)), 12), 12U + 255);
  EXPECT_EQ(read_name(behind_header(name_of_size(256)), 12, out), 0U);
  EXPECT_EQ(skip_name(behind_header(name_of_size(256)), 12), 0U);
  EXPECT_EQ(skip_plain_name(behind_header(name_of_size(256)), 12), 0U);
}

TEST(Rfc1035_2_3_4, DecompressionCountsTowards255) {
  const Octets longest = name_of_size(253);
  const auto with_label = [&](const Octets& label) {
    return behind_header(join({longest, label, pointer(12)}));
  };
  EXPECT_NE(skip_name(with_label({1, 'a'}), 12 + 253), 0U);
  EXPECT_EQ(skip_name(with_label({2, 'a', 'b'}), 12 + 253), 0U);
}

TEST(Rfc1035_4_1_4, NameWithoutEndIsRefused) {
  EXPECT_EQ(skip_name(behind_header({3, 'c', 'o'}), 12), 0U);
  EXPECT_EQ(skip_name(behind_header({3, 'c', 'o', 'm'}), 12), 0U);
  EXPECT_EQ(skip_name(behind_header({}), 12), 0U);
  EXPECT_EQ(skip_name(behind_header({}), 4000), 0U);
  EXPECT_EQ(skip_plain_name(behind_header({3, 'c', 'o', 'm'}), 12), 0U);
}

TEST(Rfc3597_4, PlainNameMayNotBeCompressed) {
  EXPECT_EQ(skip_plain_name(behind_header(join({name("a"), {1, 'b'}, pointer(12)})), 15), 0U);
}

TEST(Rfc1035_5_1, TextWithEscapesIsReadAndPrinted) {
  const auto name_read = Name::from_text("a\\.b\\032c.\\092.example");
  ASSERT_TRUE(name_read);
  EXPECT_EQ(name_read->to_text(), "a\\.b\\032c.\\\\.example.");
  EXPECT_EQ(name_read->view().wire()[0], 5);
  EXPECT_EQ(Name::from_text(name_read->to_text()), name_read);
}

TEST(Rfc1035_5_1, MalformedTextIsRefused) {
  for (const char* text : {"", "..", ".a", "a..b", "\\", "a\\25", "a\\256", "a\\2x"}) {
    EXPECT_FALSE(Name::from_text(text)) << text;
  }
  EXPECT_FALSE(Name::from_text(std::string(64, 'a')));
  EXPECT_TRUE(Name::from_text(std::string(63, 'a')));
}

TEST(Rfc1035_2_3_4, TextIsBoundedBy255Octets) {
  const std::string label(62, 'a');
  const std::string four =
      label + '.' + label + '.' + label + '.' + label;  // 4 * 63 + 1 = 253 octets
  EXPECT_EQ(Name::from_text(four)->size(), 253U);
  EXPECT_EQ(Name::from_text(four + ".b")->size(), 255U);
  EXPECT_EQ(Name::from_text(four + ".b.")->size(), 255U);
  EXPECT_FALSE(Name::from_text(four + ".bc"));
  EXPECT_FALSE(Name::from_text(four + ".b.c"));
}

TEST(Rfc4343_3, AsciiLettersAloneIgnoreCase) {
  EXPECT_EQ(*Name::from_text("eXaMpLe.COM"), *Name::from_text("example.com"));
  EXPECT_FALSE(*Name::from_text("\\228") == *Name::from_text("\\196"));
  EXPECT_FALSE(*Name::from_text("[") == *Name::from_text("{"));
  EXPECT_FALSE(*Name::from_text("a.b") == *Name::from_text("a\\.b"));
  EXPECT_FALSE(same_case(*Name::from_text("A"), *Name::from_text("a")));
  EXPECT_TRUE(same_case(*Name::from_text("A"), *Name::from_text("A")));
}

TEST(NameView, KnowsItsAncestors) {
  const Name www = *Name::from_text("www.Example.com");
  EXPECT_EQ(www.view().label_count(), 3U);
  EXPECT_EQ(www.view().parent().to_text(), "Example.com.");
  EXPECT_TRUE(www.view().is_at_or_below(*Name::from_text("example.com")));
  EXPECT_TRUE(www.view().is_at_or_below(www));
  EXPECT_TRUE(www.view().is_at_or_below(Name{}));
  EXPECT_FALSE(www.view().is_at_or_below(*Name::from_text("ample.com")));
  EXPECT_FALSE(www.view().is_at_or_below(*Name::from_text("a.www.example.com")));
}

TEST(NameView, RootIsRootHoweverItIsHeld) {
  EXPECT_EQ(Name{}, Name{NameView{}});
  EXPECT_EQ(NameView{}, Name{}.view());
  EXPECT_EQ(Name{}.to_text(), ".");
  EXPECT_TRUE(Name{}.view().parent().is_root());
  EXPECT_EQ(Name::from_text(".")->size(), 1U);
}

}  // namespace
}  // namespace dns
