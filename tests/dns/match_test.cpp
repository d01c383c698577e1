// Which packets are the reply to a question. RFC 5452 §9.1.
#include "dns/match.h"

#include <gtest/gtest.h>

#include "tests/dns/message_builder.h"

namespace dns {
namespace {

using test::MessageBuilder;
using test::name;
using test::Octets;

const Question asked{*Name::from_text("eXample.com"), RrType::mx, RrClass::in};

MessageBuilder reply(std::uint16_t id = 7, std::uint16_t flags = flag::qr | flag::rd | flag::ra) {
  return MessageBuilder(id, flags);
}

Match match(base::Bytes wire, bool exact_case = true, bool allow_no_question = false) {
  return match_reply(wire, {.id = 7, .question = &asked, .exact_case = exact_case},
                     allow_no_question);
}

TEST(Rfc5452_9_1, ReplyToTheQuestionMatches) {
  EXPECT_EQ(match(reply().question(name("eXample.com"), RrType::mx)), Match::yes);
  EXPECT_EQ(match(reply().question(name("eXample.com"), RrType::mx).append({1, 2, 3})), Match::yes);
}

TEST(Rfc5452_9_1, EveryFieldCounts) {
  EXPECT_EQ(match(reply(8).question(name("eXample.com"), RrType::mx)), Match::no);
  EXPECT_EQ(match(reply(7, flag::rd).question(name("eXample.com"), RrType::mx)), Match::no)
      << "a query";
  EXPECT_EQ(match(reply(7, flag::qr | 1U << 11).question(name("eXample.com"), RrType::mx)),
            Match::no);
  EXPECT_EQ(match(reply().question(name("fXample.com"), RrType::mx)), Match::no);
  EXPECT_EQ(match(reply().question(name("www.eXample.com"), RrType::mx)), Match::no);
  EXPECT_EQ(match(reply().question(name("eXample.com"), RrType::a)), Match::no);
  EXPECT_EQ(match(reply().question(name("eXample.com"), RrType::mx, RrClass::chaos)), Match::no);
}

TEST(Rfc5452_9_1, LetterCaseCountsWhereItWasRandom) {
  const auto lower = reply().question(name("example.com"), RrType::mx);
  EXPECT_EQ(match(lower, true), Match::no);
  EXPECT_EQ(match(lower, false), Match::yes);
}

TEST(Rfc5452_9_1, ShortPacketsNeverMatch) {
  const Octets whole = reply().question(name("eXample.com"), RrType::mx).wire();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(match(base::Bytes{whole}.first(size), true, true), Match::no) << size;
  }
}

TEST(Match, RootIsAQuestionToo) {
  const Question root{Name{}, RrType::ns, RrClass::in};
  const Expected expected{.id = 7, .question = &root, .exact_case = false};
  EXPECT_EQ(match_reply(reply().question(name("."), RrType::ns), expected, false), Match::yes);
  EXPECT_EQ(match_reply(reply().append({5, 0, 2, 0, 1}).set_count(0, 1), expected, false),
            Match::no);
}

TEST(Match, FailureWithoutQuestionMatchesWhereAllowed) {
  for (unsigned rcode = 0; rcode < 16; ++rcode) {
    const auto failure = reply(7, static_cast<std::uint16_t>(flag::qr | rcode));
    const bool may = rcode == 1 || rcode == 2 || rcode == 4 || rcode == 5;
    EXPECT_EQ(match(failure, true, true), may ? Match::yes : Match::no) << rcode;
    EXPECT_EQ(match(failure, true, false), Match::no) << rcode;
  }
}

TEST(Match, OurQuestionAmongSeveralIsMalformed) {
  EXPECT_EQ(match(reply().question(name("eXample.com"), RrType::mx).question(name("b"))),
            Match::malformed);
  EXPECT_EQ(match(reply().question(name("b")).question(name("eXample.com"), RrType::mx)),
            Match::no);
}

}  // namespace
}  // namespace dns
