// Questions out of the parameters of a URL.
#include "transports/json_question.h"

#include <gtest/gtest.h>

#include <array>

namespace transports {
namespace {

std::string name_of(std::string_view url_query) {
  const auto question = read_json_question(url_query);
  return question ? question->question.name.to_text() : std::string{question.error()};
}

TEST(JsonQuestion, HasNameTypeAndFlags) {
  const auto question = read_json_question("name=www.Example.com&type=AAAA&do=1&cd=true");
  ASSERT_TRUE(question);
  EXPECT_EQ(question->question.name.to_text(), "www.Example.com.");
  EXPECT_EQ(question->question.type, dns::RrType::aaaa);
  EXPECT_TRUE(question->dnssec_ok && question->checking_disabled);
}

TEST(JsonQuestion, AsksForAddressesWhenNothingElseIsSaid) {
  const auto question = read_json_question("name=example.com");
  ASSERT_TRUE(question);
  EXPECT_EQ(question->question.type, dns::RrType::a);
  EXPECT_EQ(question->question.klass, dns::RrClass::in);
  EXPECT_FALSE(question->dnssec_ok || question->checking_disabled);
}

TEST(JsonQuestion, TypesAreNamesOrNumbers) {
  const auto type_of = [](const std::string& type) {
    const auto question = read_json_question("name=a&type=" + type);
    return question ? static_cast<int>(question->question.type) : -1;
  };
  EXPECT_EQ(type_of("https"), 65);
  EXPECT_EQ(type_of("65"), 65);
  EXPECT_EQ(type_of("65535"), 65535);
  EXPECT_EQ(type_of("TYPE65280"), 65280);
  EXPECT_EQ(type_of("255"), 255);
  for (const char* none :
       {"", "0", "41", "OPT", "65536", "-1", "+1", "1.", " A", "NOSUCH", "%", "%00"})
    EXPECT_EQ(type_of(none), -1) << none;
}

TEST(JsonQuestion, NamesAreDecodedAndEscapesUnderstood) {
  EXPECT_EQ(name_of("name=."), ".");
  EXPECT_EQ(name_of("name=example.com."), "example.com.");
  EXPECT_EQ(name_of("name=%65xample%2Ecom"), "example.com.");
  EXPECT_EQ(name_of("name=%22%3Cscript%3E%0a.com"), R"(\"<script>\010.com.)");
  EXPECT_EQ(name_of("name=a%5C.b.com"), R"(a\.b.com.)");
  EXPECT_EQ(name_of("other=1&name=a&ct=application/dns-json&edns_client_subnet=0.0.0.0/0"), "a.");
}

TEST(JsonQuestion, SaysWhatIsWrong) {
  EXPECT_EQ(name_of(""), "the parameter `name` is missing");
  EXPECT_EQ(name_of("type=A"), "the parameter `name` is missing");
  EXPECT_EQ(name_of("name=a&name=b"), "a parameter is there twice");
  EXPECT_EQ(name_of("name=a&do=yes"), "`do` and `cd` are 0, 1, true or false");
  EXPECT_EQ(name_of("name=a&cd"), "`do` and `cd` are 0, 1, true or false");
  EXPECT_EQ(name_of("name=b%C3%BCcher.example"),
            "`name` is not ASCII: write it in the form that begins with xn--");
  for (const std::string& name : {std::string{}, std::string("a..b"), std::string(64, 'x'),
                                  std::string("%"), std::string("%4"), std::string("%zz"),
                                  std::string(1021, 'x'), std::string("a\\"), std::string("\\999")})
    EXPECT_EQ(name_of("name=" + name), "`name` is not a domain name") << name;
}

TEST(JsonQuestion, IsComposedLikeAnyQuery) {
  const auto question = read_json_question("name=Example.com&type=MX&do=1&cd=1");
  ASSERT_TRUE(question);
  std::array<std::uint8_t, JsonQuestion::size_max> out{};
  dns::Request request;
  ASSERT_EQ(dns::parse_request({out.data(), question->compose(out)}, request),
            dns::Verdict::accept);
  EXPECT_EQ(request.id, 0);  // RFC 8484 §4.1
  EXPECT_EQ(request.question.name.to_text(), "Example.com.");
  EXPECT_EQ(request.question.type, dns::RrType::mx);
  EXPECT_TRUE(request.edns.dnssec_ok && request.checking_disabled() && request.authentic_data() &&
              request.recursion_desired());
}

TEST(JsonQuestion, ErrorsAreJsonThemselves) {
  EXPECT_EQ(json_error("`name` is \"missing\""), "{\"error\":\"`name` is \\\"missing\\\"\"}\n");
}

}  // namespace
}  // namespace transports
