// Names and numbers. RFC 3597 §5.
#include "dns/codes.h"

#include <gtest/gtest.h>

namespace dns {
namespace {

TEST(Codes, KnownOnesHaveNames) {
  EXPECT_EQ(to_text(Rcode::badcookie), "BADCOOKIE");
  EXPECT_EQ(to_text(RrType::https), "HTTPS");
  EXPECT_EQ(to_text(RrClass::chaos), "CH");
  EXPECT_EQ(to_text(Ede::stale_answer), "Stale Answer");
  EXPECT_EQ(to_text(Opcode::query), "QUERY");
}

TEST(Rfc3597_5, UnknownOnesHaveNumbers) {
  EXPECT_EQ(to_text(Rcode{42}), "RCODE42");
  EXPECT_EQ(to_text(RrType{65280}), "TYPE65280");
  EXPECT_EQ(to_text(RrClass{42}), "CLASS42");
  EXPECT_EQ(to_text(Ede{999}), "EDE 999");
  EXPECT_EQ(to_text(Opcode{9}), "OPCODE9");
}

TEST(Rfc3597_5, TypesAreReadByNameAndNumber) {
  EXPECT_EQ(type_from_text("aaaa"), RrType::aaaa);
  EXPECT_EQ(type_from_text("TYPE65280"), RrType{65280});
  EXPECT_EQ(type_from_text("type28"), RrType::aaaa);
  for (const char* text : {"", "TYPE", "TYPE65536", "TYPE1x", "TYPE-1", "BOGUS"}) {
    EXPECT_EQ(type_from_text(text), std::nullopt) << text;
  }
  EXPECT_EQ(class_from_text("in"), RrClass::in);
  EXPECT_EQ(class_from_text("CLASS42"), RrClass{42});
  EXPECT_EQ(class_from_text("XX"), std::nullopt);
}

TEST(Codes, EveryTypeIsReadFromItsOwnName) {
  for (unsigned number = 0; number <= 65535; ++number) {
    const RrType type{static_cast<std::uint16_t>(number)};
    ASSERT_EQ(type_from_text(to_text(type)), type) << number;
  }
}

}  // namespace
}  // namespace dns
