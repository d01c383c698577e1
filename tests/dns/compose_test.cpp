// Our own queries. RFC 1035 §4.1, RFC 6891 §6.1, RFC 8467 §4.1.
#include "dns/compose.h"

#include <gtest/gtest.h>

#include <array>

#include "dns/message.h"
#include "tests/dns/message_builder.h"

namespace dns {
namespace {

using test::name;
using test::Octets;

const Question asked{*Name::from_text("eXample.com"), RrType::https, RrClass::in};

Octets compose(const OutgoingOptions& options, const Question& question = asked,
               std::size_t room = 512) {
  Octets out(room);
  out.resize(compose_query(question, options, out));
  return out;
}

TEST(Rfc1035_4_1, QueryHasQuestionAndOpt) {
  const Octets expected =
      test::MessageBuilder(0xABCD).question(name("eXample.com"), RrType::https).opt().wire();
  EXPECT_EQ(compose({.id = 0xABCD}), expected);
}

TEST(Rfc4035_3_2_2, FlagsAreThoseAskedFor) {
  const Octets wire =
      compose({.checking_disabled = true, .dnssec_ok = true, .authentic_data = true});
  Request request;
  ASSERT_EQ(parse_request(wire, request), Verdict::accept);
  EXPECT_EQ(request.flags, flag::rd | flag::ad | flag::cd);
  EXPECT_TRUE(request.edns.dnssec_ok);
}

TEST(Rfc8467_4_1, QueriesArePaddedToBlocks) {
  for (std::size_t label = 1; label <= 60; ++label) {
    const Question question{*Name::from_text(std::string(label, 'a')), RrType::a, RrClass::in};
    const Octets wire = compose({.padding_block = 128}, question);
    EXPECT_EQ(wire.size() % 128, 0U) << label;
    Request request;
    ASSERT_EQ(parse_request(wire, request), Verdict::accept);
    EXPECT_TRUE(request.edns.padding);
  }
}

TEST(Rfc7873_5_1, CookieIsSentAsGiven) {
  const Octets cookie(24, 5);
  Request request;
  ASSERT_EQ(parse_request(compose({.padding_block = 128, .cookie = cookie}), request),
            Verdict::accept);
  EXPECT_EQ(request.edns.cookie_size, 24);
  EXPECT_EQ(request.edns.cookie[23], 5);
}

TEST(Compose, LongestNameCookieAndPaddingFitInto512) {
  const Octets longest = test::name_of_size(255);
  const Question question{Name{NameView{longest}}, RrType::a, RrClass::in};
  const Octets cookie(40, 5);
  EXPECT_EQ(compose({.padding_block = 128, .cookie = cookie}, question).size(), 384U);
}

TEST(Compose, TooLittleRoomIsSaid) {
  EXPECT_EQ(compose({}, asked, 39), Octets{});
  EXPECT_EQ(compose({}, asked, 40).size(), 40U);
  EXPECT_EQ(compose({}, asked, 0), Octets{});
}

}  // namespace
}  // namespace dns
