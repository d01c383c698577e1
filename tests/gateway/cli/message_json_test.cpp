// Messages as JSON: every part is there, and nothing that came over the wire can break a terminal.
#include "gateway/cli/message_json.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/json.hpp>
#include <cstdint>
#include <vector>

#include "dns/fit.h"
#include "gateway/demo/zone.h"

namespace gateway::cli {
namespace {

namespace json = boost::json;

/// What the demonstration says to a question, as JSON.
json::object answer_json(const std::string& name, dns::RrType type, dns::FitOptions options = {}) {
  dns::Request request;
  request.id = 4711;
  request.flags = dns::flag::rd;
  request.has_question = true;
  request.question = {*dns::Name::from_text(name), type, dns::RrClass::in};
  request.edns.present = true;
  request.edns.padding = true;
  request.edns.dnssec_ok = true;
  const dns::KeptAnswer answer = demo::Zone().answer(request.question, conf::Protocol::udp);
  std::array<std::uint8_t, 4096> out{};
  const std::size_t size = dns::fit(request, answer.view(), options, out);
  return message_to_json({out.data(), size});
}

TEST(MessageJson, HasHeaderQuestionAndRecords) {
  const json::object message = answer_json("alias.demo.test.", dns::RrType::a);
  EXPECT_EQ(message.at("id"), 4711);
  EXPECT_EQ(message.at("rcode"), "NOERROR");
  EXPECT_EQ(message.at("flags"), json::array({"qr", "rd", "ra"}));
  EXPECT_EQ(message.at("question"),
            (json::object{{"name", "alias.demo.test."}, {"type", "A"}, {"class", "IN"}}));
  const json::array& answer = message.at("answer").as_array();
  ASSERT_EQ(answer.size(), 4U);
  EXPECT_EQ(answer[0], (json::object{{"name", "alias.demo.test."},
                                     {"ttl", 300},
                                     {"class", "IN"},
                                     {"type", "CNAME"},
                                     {"data", "alias2.demo.test."}}));
  EXPECT_FALSE(message.contains("malformed"));
}

TEST(MessageJson, HasEdnsPaddingAndEde) {
  const json::object message =
      answer_json("fail.demo.test.", dns::RrType::a, {.padding_block = 468});
  EXPECT_EQ(message.at("octets"), 468);
  const json::object& edns = message.at("edns").as_object();
  EXPECT_EQ(edns.at("udp_size"), 1232);
  EXPECT_EQ(edns.at("dnssec_ok"), true);
  EXPECT_GT(edns.at("padding_octets").to_number<int>(), 0);
  EXPECT_EQ(edns.at("ede").at(0),
            (json::object{{"code", 0}, {"meaning", "Other Error"}, {"text", "fails on purpose"}}));
}

TEST(MessageJson, EdeTextIsMadeHarmless) {
  const json::object message =
      answer_json("fail.demo.test.", dns::RrType::a,
                  {.ede = dns::EdeNote{.code = dns::Ede::other, .text = "\x1b[2J\xff Grüße"}});
  EXPECT_EQ(message.at("edns").at("ede").at(0).at("text"), "\xef\xbf\xbd[2J\xef\xbf\xbd Grüße");
}

TEST(MessageJson, AMalformedMessageIsToldAsFarAsItCanBeRead) {
  for (const std::vector<std::uint8_t>& message :
       {std::vector<std::uint8_t>{}, std::vector<std::uint8_t>{0, 1, 2},
        std::vector<std::uint8_t>(12, 0xff)}) {
    EXPECT_TRUE(message_to_json(message).contains("malformed"));
  }
}

}  // namespace
}  // namespace gateway::cli
