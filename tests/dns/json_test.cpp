// Messages as "application/dns-json".
#include "dns/json.h"

#include <gtest/gtest.h>

#include "tests/dns/message_builder.h"

namespace dns {
namespace {

using test::join;
using test::name;
using test::Octets;
using test::pointer;
using test::u16;
using test::u32;

Octets header(unsigned flags, unsigned answers, unsigned authorities, unsigned additional) {
  return join({u16(0), u16(flags), u16(1), u16(answers), u16(authorities), u16(additional)});
}

Octets record(const Octets& owner, unsigned type, std::uint32_t ttl, const Octets& rdata) {
  return join(
      {owner, u16(type), u16(1), u32(ttl), u16(static_cast<unsigned>(rdata.size())), rdata});
}

const Octets example_question = join({name("example.com"), u16(1), u16(1)});

TEST(DnsJson, HasTheFieldsOfPublicResolvers) {
  const Octets message = join(
      {header(0x81a0, 1, 0, 0), example_question, record(pointer(12), 1, 300, {192, 0, 2, 1})});
  EXPECT_EQ(message_to_json(message),
            R"({"Status":0,"TC":false,"RD":true,"RA":true,"AD":true,"CD":false,)"
            R"("Question":[{"name":"example.com.","type":1}],)"
            R"("Answer":[{"name":"example.com.","type":1,"TTL":300,"data":"192.0.2.1"}]})"
            "\n");
}

TEST(DnsJson, TellsFlagsAndAuthority) {
  const Octets message = join(
      {header(0x8393, 0, 1, 0), example_question, record(name("com"), 2, 5, name("ns.example"))});
  EXPECT_EQ(message_to_json(message),
            R"({"Status":3,"TC":true,"RD":true,"RA":true,"AD":false,"CD":true,)"
            R"("Question":[{"name":"example.com.","type":1}],)"
            R"("Authority":[{"name":"com.","type":2,"TTL":5,"data":"ns.example."}]})"
            "\n");
}

TEST(DnsJson, TellsExtendedErrors) {
  const Octets ede = join({u16(15), u16(6), u16(3), {'o', '<', 'd', '"'}});
  const Octets message = join({header(0x8180, 0, 0, 1),
                               example_question,
                               {0},
                               u16(41),
                               u16(1232),
                               u32(0x01000000),
                               u16(static_cast<unsigned>(ede.size())),
                               ede});
  const std::string json = message_to_json(message);
  EXPECT_TRUE(json.starts_with(R"({"Status":16,)")) << json;
  EXPECT_TRUE(json.contains(R"("extended_dns_errors":[{"info_code":3,"extra_text":"o\u003cd\""}])"))
      << json;
  EXPECT_TRUE(json.contains(R"("Comment":"EDE: 3 (Stale Answer): o\u003cd)")) << json;
}

TEST(DnsJson, EscapesWhateverANameHolds) {
  const Octets evil{6, '"', '\n', '<', '>', '&', '\\', 2, 0xff, ' ', 0};
  const Octets message = join({header(0x8180, 1, 0, 0), evil, u16(16), u16(1),
                               record(pointer(12), 16, 1, {4, '<', '/', '"', 0x07})});
  const std::string json = message_to_json(message);
  EXPECT_TRUE(json.contains(
      R"("Question":[{"name":"\\\"\\010\u003c\u003e\u0026\\\\.\\255\\032.","type":16}])"))
      << json;
  EXPECT_TRUE(json.contains(R"("data":"\"\u003c/\\\"\\007\"")")) << json;
  for (const char c : json.substr(0, json.size() - 1)) EXPECT_TRUE(c >= ' ' && c < 0x7f);
}

TEST(DnsJson, SaysWhenThereIsTooMuchToTell) {
  constexpr unsigned records = 5000;
  Octets message = join({header(0x8180, records, 0, 0), test::name_of_size(255), u16(1), u16(1)});
  for (unsigned i = 0; i < records; ++i) {
    const Octets one = record(pointer(12), 65280, 1, {});
    message.insert(message.end(), one.begin(), one.end());
  }
  const std::string json = message_to_json(message);
  EXPECT_LT(json.size(), 1100U * 1024U);
  EXPECT_TRUE(json.contains(R"("TC":true)"));
}

}  // namespace
}  // namespace dns
