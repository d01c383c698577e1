// A question as an HTTP request, and which responses are believed. RFC 8484.
#include "transports/upstreams/doh_ask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dns/request.h"
#include "tests/transports/doh_link_fixture.h"
#include "transports/base64url.h"

namespace transports {
namespace {

using testing::HasSubstr;
using namespace test_support;

/// No HTTP at all: the test says itself what comes.
class ByHand final : public StreamCodec {
 public:
  explicit ByHand(const DohTarget& target) : target_(target) {}
  [[nodiscard]] bool room() const override { return true; }
  void transmit(Waiting& waiting) override { ask = std::make_unique<DohAsk>(waiting, target_); }
  void forget(Waiting& /*waiting*/) override { ask->waiting = nullptr; }
  void take(base::Bytes /*octets*/) override {}
  base::Bytes next_to_write() override { return {}; }
  void written(std::size_t /*octets*/) override {}
  std::string_view end_of_stream() override { return "closed"; }

  std::unique_ptr<DohAsk> ask;

 private:
  const DohTarget& target_;
};

class DohAskTest : public DohLinkFixture {
 protected:
  DohAskTest() { begin(conf::DohMethod::post); }
  void begin(conf::DohMethod method) {
    link_with(method, [this](Link&, const DohTarget& target) {
      auto made = std::make_unique<ByHand>(target);
      codec_ = made.get();
      return made;
    });
  }
  DohAsk& asked() { return *codec_->ask; }

  using Fields = std::vector<std::pair<std::string_view, std::string_view>>;
  /// What comes of a response with these fields, and the right body if no other is given.
  std::string outcome_of(const Fields& fields, std::optional<std::string> body = {}) {
    Waiting& waiting = ask();
    for (const auto& [name, value] : fields) asked().on_field(name, value);
    asked().on_content(base::as_bytes(body ? *body : reply_to(waiting, 5)));
    asked().deliver(*link_);
    return outcome(waiting);
  }

  ByHand* codec_ = nullptr;
};

const std::pair<std::string_view, std::string_view> ok{":status", "200"};
const std::pair<std::string_view, std::string_view> typed{"content-type",
                                                          "application/dns-message"};

TEST_F(DohAskTest, Rfc8484_4_1_PostCarriesTheQuery) {
  ask("www.Example.com");
  EXPECT_EQ(asked().method(), "POST");
  EXPECT_EQ(asked().authority(), "dns.test");
  EXPECT_EQ(asked().path(), "/dns-query");
  dns::Request request;
  ASSERT_EQ(dns::parse_request(asked().body(), request), dns::Verdict::accept);
  EXPECT_EQ(request.id, 0);
  EXPECT_EQ(request.question.name.to_text(), "www.Example.com.");
  EXPECT_TRUE(request.edns.padding);
  EXPECT_EQ(asked().body().size() % 128, 0U);  // RFC 8467 §4.1
}

TEST_F(DohAskTest, Rfc8484_6_GetCarriesItWithoutPaddingOfBase64) {
  begin(conf::DohMethod::get);
  ask();
  EXPECT_EQ(asked().method(), "GET");
  EXPECT_TRUE(asked().body().empty());
  constexpr std::string_view before = "/dns-query?dns=";
  ASSERT_TRUE(asked().path().starts_with(before));
  const std::string_view text = asked().path().substr(before.size());
  std::vector<std::uint8_t> query(*base64url_octets(text.size()));
  ASSERT_TRUE(from_base64url(text, query));
  dns::Request request;
  EXPECT_EQ(dns::parse_request(query, request), dns::Verdict::accept);
  EXPECT_EQ(query.size() % 128, 0U);
}

TEST_F(DohAskTest, Rfc8484_8_2_NothingTellsOneAskerFromAnother) {
  ask();
  std::string names;
  for (const HttpField& field : asked().fields())
    names.append(field.name).append(": ").append(field.value).append("\n");
  EXPECT_EQ(names,
            "accept: application/dns-message\ncontent-type: application/dns-message\n"
            "content-length: 128\n");
}

TEST_F(DohAskTest, Rfc9110_7_2_TheAuthorityIsTheNameThatIsVerified) {
  const auto authority_of = [](auto change) {
    conf::Upstream upstream = doh_settings();
    change(upstream);
    return DohTarget(upstream).authority;
  };
  EXPECT_EQ(authority_of([](auto& up) { up.endpoint.port = 8443; }), "dns.test:8443");
  EXPECT_EQ(authority_of([](auto& up) { up.host = "dns.example"; }), "dns.example");
  EXPECT_EQ(authority_of([](auto& up) { up.tls_name = ""; }), "192.0.2.53");
  EXPECT_EQ(authority_of([](auto& up) { up.tls_name = "2001:db8::1"; }), "[2001:db8::1]");
}

TEST_F(DohAskTest, Rfc8484_4_2_1_AnswersAreBelieved) {
  EXPECT_EQ(outcome_of({ok, typed}), "answer 5");
  EXPECT_EQ(outcome_of({{":status", "299"}, typed}), "answer 5");
  EXPECT_EQ(outcome_of({ok, {"Content-Type", "Application/DNS-Message; x=y"}}), "answer 5");
  EXPECT_EQ(outcome_of({ok, typed, {"content-encoding", "identity"}}), "answer 5");
}

TEST_F(DohAskTest, OtherResponsesAreNot) {
  EXPECT_THAT(outcome_of({typed}), HasSubstr("HTTP status 0"));
  EXPECT_THAT(outcome_of({{":status", "2x0"}, typed}), HasSubstr("HTTP status 2"));
  EXPECT_THAT(outcome_of({{":status", "503"}, typed}), HasSubstr("HTTP status 503"));
  EXPECT_THAT(outcome_of({ok}), HasSubstr("without a type"));
  EXPECT_THAT(outcome_of({ok, {"content-type", "text/html\x1b[2J"}}),
              testing::AllOf(HasSubstr("of type text/html"), testing::Not(HasSubstr("\x1b"))));
  EXPECT_THAT(outcome_of({ok, typed, {"content-encoding", "gzip"}}), HasSubstr("encoded"));
  EXPECT_THAT(outcome_of({typed}), testing::Not(HasSubstr("/dns-query")))
      << "the path may be a secret, and this goes to clients";
  EXPECT_EQ(loop_.total("sallyport_upstream_http_failures_total"), 4);
}

TEST_F(DohAskTest, Rfc8484_5_1_TheTimeInCachesOfOthersIsTakenOffTtls) {
  const auto ttl_after = [this](std::string_view age) {
    Waiting& waiting = ask();
    for (const auto& [name, value] : Fields{ok, typed, {"Age", age}}) asked().on_field(name, value);
    asked().on_content(base::as_bytes(reply_to(waiting, 5)));
    asked().deliver(*link_);
    return dns::facts_of(waiting.judged->answer.view()).least_ttl;
  };
  const std::uint32_t whole = ttl_after("0");
  ASSERT_GT(whole, 2U);
  EXPECT_EQ(ttl_after("2"), whole - 2);
  EXPECT_EQ(ttl_after(std::to_string(whole)), 0U);
  EXPECT_EQ(ttl_after("99999999999999"), 0U) << "beyond all measure";
  for (const std::string_view nonsense : {"", "-1", "2 hours", "0x2"})
    EXPECT_EQ(ttl_after(nonsense), whole) << nonsense;
}

TEST_F(DohAskTest, Rfc9110_15_2_AnotherStatusBeginsAnew) {
  EXPECT_EQ(outcome_of({{":status", "103"},
                        {"content-type", "text/html"},
                        {"content-encoding", "gzip"},
                        ok,
                        typed}),
            "answer 5");
  EXPECT_THAT(outcome_of({{":status", "103"}, typed, ok}), HasSubstr("without a type"));
}

TEST_F(DohAskTest, Rfc9110_6_5_TrailersChangeNothing) {
  Waiting& waiting = ask();
  asked().on_field(ok.first, ok.second);
  asked().on_field(typed.first, typed.second);
  asked().on_content(base::as_bytes(reply_to(waiting, 5)));
  asked().on_field("content-type", "text/html");
  asked().on_field("content-encoding", "gzip");
  asked().deliver(*link_);
  EXPECT_EQ(outcome(waiting), "answer 5");
}

TEST_F(DohAskTest, FieldsBeyondAllBoundsAreNotBelieved) {
  Waiting& waiting = ask();
  asked().on_field(ok.first, ok.second);
  asked().on_field(typed.first, typed.second);
  asked().on_too_many_fields();
  asked().on_content(base::as_bytes(reply_to(waiting)));
  asked().deliver(*link_);
  EXPECT_THAT(outcome(waiting), HasSubstr("too many header fields"));
}

TEST_F(DohAskTest, ABodyIsNoLargerThanAMessage) {
  ask();
  const std::vector<std::uint8_t> half(40'000);
  EXPECT_TRUE(asked().on_content(half));
  EXPECT_FALSE(asked().on_content(half));
  EXPECT_TRUE(asked().on_content(base::Bytes{half}.first(25'535)));
  EXPECT_FALSE(asked().on_content(base::Bytes{half}.first(1)));
}

TEST_F(DohAskTest, BodiesThatAnswerSomethingElseAreRefused) {
  EXPECT_THAT(outcome_of({ok, typed}, ""), HasSubstr("another question"));
  EXPECT_THAT(outcome_of({ok, typed}, std::string(12, '\0')), HasSubstr("another question"));
  std::string other = reply_to(ask("other.example"));
  EXPECT_THAT(outcome_of({ok, typed}, other), HasSubstr("another question"));
  EXPECT_FALSE(link_->closed());
  EXPECT_EQ(loop_.total("sallyport_upstream_mismatched_replies_total"), 3);
}

}  // namespace
}  // namespace transports
