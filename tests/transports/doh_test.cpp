// From requests to queries, and from answers to responses. RFC 8484.
#include "transports/doh.h"

#include <gtest/gtest.h>

#include <string>

#include "transports/base64url.h"
#include "transports/json_question.h"

namespace transports {
namespace {

// RFC 8484 §4.1.1: www.example.com, A, id 0.
constexpr std::string_view example = "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";

class Requests : public testing::Test {
 protected:
  std::uint16_t get(const std::string& target, std::string_view method = "GET") {
    request_.emplace(budget_);
    request_->method(method);
    request_->target(target, settings_);
    return status_ = request_->finish();
  }
  std::uint16_t post(std::string_view content, std::string_view type = dns_message_type,
                     const std::string& path = "/dns-query") {
    request_.emplace(budget_);
    request_->target(path, settings_);
    request_->method("POST");
    request_->field("Content-Type", type);
    request_->content(base::as_bytes(content));
    return status_ = request_->finish();
  }
  /// A GET with header fields in front of finish().
  std::uint16_t get_with(const std::string& target, std::string_view name, std::string_view value,
                         std::string_view method = "GET") {
    request_.emplace(budget_);
    request_->method(method);
    request_->target(target, settings_);
    request_->field(name, value);
    return status_ = request_->finish();
  }
  [[nodiscard]] HttpResponse response() {
    return request_->without_answer(status_, "a page", text_);
  }
  [[nodiscard]] std::string body() { return std::string(base::as_text(response().body)); }
  [[nodiscard]] dns::Request asked() const {
    dns::Request asked;
    EXPECT_EQ(dns::parse_request(request_->message(), asked), dns::Verdict::accept);
    return asked;
  }
  [[nodiscard]] std::string message() const {
    return std::string(base::as_text(request_->message()));
  }

  OctetBudget budget_;
  conf::Doh settings_;
  std::optional<DohRequest> request_;
  std::uint16_t status_ = 0;
  std::string text_;
};

std::string fields_of(const HttpResponse& response) {
  std::string out;
  for (const HttpField& field : HttpFields(response).all())
    out.append(field.name).append(": ").append(field.value).append("\n");
  return out;
}

TEST_F(Requests, Rfc8484_4_1_1_GetHasTheQueryInItsParameter) {
  EXPECT_EQ(get("/dns-query?dns=" + std::string(example)), 0);
  EXPECT_EQ(message().size(), 33U);
  EXPECT_EQ(get("/dns-query?a=b&dns=" + std::string(example) + "&c"), 0);
  EXPECT_EQ(message().size(), 33U);
  EXPECT_EQ(get("/dns-query?dns=" + std::string(example), "HEAD"), 0);
  EXPECT_TRUE(request_->is_head());
}

TEST_F(Requests, Rfc8484_4_1_PostHasTheQueryAsContent) {
  EXPECT_EQ(post("some octets"), 0);
  EXPECT_EQ(message(), "some octets");
  EXPECT_EQ(post("some octets", "Application/DNS-Message ; x=y"), 0);
}

TEST_F(Requests, Rfc8484_6_WhatIsNotBase64urlIsABadRequest) {
  const std::string text(example);
  for (const std::string& bad : {text + "=", text + "%3D", "+" + text.substr(1),
                                 "/" + text.substr(1), text + "A", std::string{}}) {
    EXPECT_EQ(get("/dns-query?dns=" + bad), 400) << bad;
  }
  EXPECT_EQ(get("/dns-query"), 400);
  EXPECT_EQ(get("/dns-query?"), 400);
  EXPECT_EQ(get("/dns-query?dnsx=" + text), 400);
  EXPECT_EQ(get("/dns-query?dns=" + text + "&dns=" + text), 400);
}

TEST_F(Requests, OtherPathsAreNotFound) {
  settings_.page = false;
  for (const char* path : {"/", "/dns-query/", "/DNS-query", "*", "", "dns-query", "/x?dns=AAAA"})
    EXPECT_EQ(get(path), 404) << path;
  settings_.paths = {"/a", "/b"};
  EXPECT_EQ(get("/b?dns=" + std::string(example)), 0);
  EXPECT_EQ(get("/dns-query?dns=" + std::string(example)), 404);
}

TEST_F(Requests, OtherMethodsAreNotAllowed) {
  for (const char* method : {"PUT", "DELETE", "OPTIONS", "get", "CONNECT", ""})
    EXPECT_EQ(get("/dns-query?dns=" + std::string(example), method), 405) << method;
  EXPECT_EQ(response().allow, "GET, HEAD, POST");
}

TEST_F(Requests, OtherMediaTypesAreUnsupported) {
  for (const char* type : {"", "text/plain", "application/dns-messages", "application/dns-json"})
    EXPECT_EQ(post("some octets", type), 415) << type;
}

TEST_F(Requests, TooLongIsRefusedBeforeAnythingIsDecoded) {
  EXPECT_EQ(get("/dns-query?dns=" + std::string(1 << 20, 'A')), 414);
  EXPECT_EQ(request_->message().size(), 0U);
  EXPECT_EQ(post(std::string(65535, 'x')), 0);
  EXPECT_EQ(post(std::string(65536, 'x')), 413);
  EXPECT_EQ(post(""), 400);
}

TEST_F(Requests, ContentIsKeptWithinTheBudgetOfAll) {
  budget_.set_most(1000);
  EXPECT_EQ(post(std::string(1001, 'x')), 503);
  EXPECT_EQ(post(std::string(900, 'x')), 0);
  EXPECT_EQ(budget_.taken(), 900U);
  request_.reset();
  EXPECT_EQ(budget_.taken(), 0U);
}

TEST_F(Requests, APromiseOfTooMuchContentIsEnough) {
  request_.emplace(budget_);
  request_->method("POST");
  request_->target("/dns-query", settings_);
  request_->field("content-type", dns_message_type);
  request_->field("content-length", "65536");
  EXPECT_EQ(request_->finish(), 413);
}

TEST_F(Requests, ContentOfAGetIsABadRequest) {
  request_.emplace(budget_);
  request_->method("GET");
  request_->target("/dns-query?dns=" + std::string(example), settings_);
  request_->content(base::as_bytes("x"));
  EXPECT_EQ(request_->finish(), 400);
}

TEST_F(Requests, Rfc8484_5_1_FreshnessIsTheLeastTtl) {
  ASSERT_EQ(get("/dns-query?dns=" + std::string(example)), 0);
  AnswerSummary summary;
  summary.least_ttl = 4294967295;
  EXPECT_EQ(fields_of(request_->answer(base::as_bytes("12345"), summary, text_)),
            "content-type: application/dns-message\ncontent-length: 5\n"
            "cache-control: max-age=4294967295\n");
  summary.least_ttl = 0;
  EXPECT_EQ(request_->answer({}, summary, text_).max_age, 0U);
}

TEST_F(Requests, RefusalsHaveASentence) {
  ASSERT_EQ(get("/dns-query", "PUT"), 405);
  EXPECT_EQ(fields_of(response()),
            "content-type: text/plain; charset=utf-8\nx-content-type-options: nosniff\n"
            "content-length: 36\nallow: GET, HEAD, POST\n");
  for (const std::uint16_t status : {400, 404, 405, 408, 413, 414, 415, 431, 503}) {
    status_ = status;
    EXPECT_FALSE(response().body.empty()) << status;
    EXPECT_NE(http_reason(status), "Unknown") << status;
  }
  EXPECT_TRUE(fields_of(response()).contains("retry-after: 1\n"));
}

// The JSON form.

TEST_F(Requests, ScriptsAskByParameters) {
  EXPECT_EQ(get("/resolve?name=www.example.com&type=MX&do=1"), 0);
  EXPECT_EQ(asked().question.name.to_text(), "www.example.com.");
  EXPECT_EQ(asked().question.type, dns::RrType::mx);
  EXPECT_TRUE(asked().edns.dnssec_ok);
  EXPECT_EQ(get("/resolve?name=a", "HEAD"), 0);
  EXPECT_EQ(get("/resolve?name=a", "POST"), 405);
  EXPECT_EQ(response().allow, "GET, HEAD");
}

TEST_F(Requests, ScriptsGetJson) {
  const std::string empty_reply("\0\0\x81\x80\0\0\0\0\0\0\0\0", 12);
  ASSERT_EQ(get("/resolve?name=a"), 0);
  AnswerSummary summary;
  summary.least_ttl = 5;
  const HttpResponse answer = request_->answer(base::as_bytes(empty_reply), summary, text_);
  EXPECT_EQ(base::as_text(answer.body),
            R"({"Status":0,"TC":false,"RD":true,"RA":true,"AD":false,"CD":false})"
            "\n");
  EXPECT_EQ(fields_of(answer),
            "content-type: application/dns-json\nx-content-type-options: nosniff\n"
            "content-length: 66\ncache-control: max-age=5\n");
}

TEST_F(Requests, WhereWireFormatIsAskedJsonIsForWhoAcceptsIt) {
  for (const char* accept :
       {"application/dns-json", "text/html, Application/DNS-JSON;q=0.5", "application/json"}) {
    EXPECT_EQ(get_with("/dns-query?name=a", "Accept", accept), 0) << accept;
    EXPECT_EQ(request_->answer({}, {}, text_).vary, "accept");
  }
  for (const char* accept : {"*/*", "application/dns-message", "", "application/dns-jsonx"})
    EXPECT_EQ(get_with("/dns-query?name=a", "Accept", accept), 400) << accept;
  const std::string both = "/dns-query?name=a&dns=" + std::string(example);
  EXPECT_EQ(get_with(both, "accept", "application/dns-json"), 0);
  EXPECT_EQ(message().size(), 33U);
  EXPECT_EQ(request_->answer({}, {}, text_).content_type, dns_message_type);
}

TEST_F(Requests, AWrongQuestionIsToldInJson) {
  EXPECT_EQ(get("/resolve"), 400);
  EXPECT_EQ(body(), "{\"error\":\"the parameter `name` is missing\"}\n");
  EXPECT_EQ(response().content_type, dns_json_type);
  EXPECT_EQ(get("/resolve?name=a&type=NONE"), 400);
  EXPECT_TRUE(body().starts_with("{\"error\":\"`type` is"));
  settings_.json_path = "";
  EXPECT_EQ(get("/resolve?name=a"), 404);
}

// The page.

TEST_F(Requests, PeopleGetAPage) {
  ASSERT_EQ(get("/"), 200);
  EXPECT_EQ(body(), "a page");
  const std::string fields = fields_of(response());
  for (const char* field :
       {"content-type: text/html", "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "content-security-policy: default-src 'none'; style-src 'unsafe-inline'"})
    EXPECT_TRUE(fields.contains(field)) << fields;
  EXPECT_EQ(get("/?x=y", "HEAD"), 200);
  EXPECT_TRUE(response().body_left_out);
  EXPECT_EQ(get("/", "POST"), 405);
  EXPECT_EQ(response().allow, "GET, HEAD");
  settings_.page = false;
  EXPECT_EQ(get("/"), 404);
}

// Browsers' pages that ask by script: the Fetch standard's "CORS protocol".

TEST_F(Requests, PagesMayAskAsConfigured) {
  const std::string target = "/dns-query?dns=" + std::string(example);
  EXPECT_EQ(get_with(target, "Origin", "https://a.example"), 0);
  EXPECT_EQ(request_->answer({}, {}, text_).allow_origin, "");
  settings_.cors_origins = {"https://a.example", "https://b.example"};
  EXPECT_EQ(get_with(target, "Origin", "https://b.example"), 0);
  HttpResponse answer = request_->answer({}, {}, text_);
  EXPECT_EQ(answer.allow_origin, "https://b.example");
  EXPECT_EQ(answer.vary, "origin");
  EXPECT_TRUE(fields_of(answer).contains("access-control-allow-origin: https://b.example\n"));
  for (const char* other :
       {"https://c.example", "http://b.example", "null", "https://b.example.org"}) {
    EXPECT_EQ(get_with(target, "origin", other), 0);
    EXPECT_EQ(request_->answer({}, {}, text_).allow_origin, "") << other;
    EXPECT_EQ(request_->answer({}, {}, text_).vary, "origin");
  }
  settings_.cors_origins = {"*"};
  EXPECT_EQ(get_with(target, "origin", "null"), 0);
  answer = request_->answer({}, {}, text_);
  EXPECT_EQ(answer.allow_origin, "*");
  EXPECT_EQ(answer.vary, "");
}

TEST_F(Requests, PagesAskBeforeTheyAsk) {
  settings_.cors_origins = {"https://a.example"};
  EXPECT_EQ(get_with("/dns-query", "Origin", "https://a.example", "OPTIONS"), 204);
  EXPECT_EQ(fields_of(response()),
            "allow: GET, HEAD, POST\nvary: origin\n"
            "access-control-allow-origin: https://a.example\n"
            "access-control-allow-methods: GET, HEAD, POST\n"
            "access-control-allow-headers: content-type, accept\naccess-control-max-age: 86400\n");
  EXPECT_EQ(get_with("/resolve", "Origin", "https://c.example", "OPTIONS"), 204);
  EXPECT_EQ(fields_of(response()), "allow: GET, HEAD\nvary: origin\n");
  EXPECT_EQ(get_with("/", "Origin", "https://a.example", "OPTIONS"), 405);
  EXPECT_EQ(get_with("/x", "Origin", "https://a.example", "OPTIONS"), 404);
}

// Behind a reverse proxy.

TEST_F(Requests, WhomAProxyAsksForIsInTheOneFieldThatIsBelieved) {
  conf::Proxy proxy;
  proxy.reverse_proxies = {*base::Prefix::from_text("127.0.0.0/8")};
  const auto client = [&](const conf::Proxy* believed) {
    request_.emplace(budget_);
    request_->begin(believed);
    request_->method("GET");
    request_->target("/dns-query?dns=" + std::string(example), settings_);
    request_->field("X-Forwarded-For", "198.51.100.1, 203.0.113.7");
    request_->field("forwarded", "for=203.0.113.8");
    EXPECT_EQ(request_->finish(), 0);
    return request_->client() ? request_->client()->to_text() : "";
  };
  EXPECT_EQ(client(nullptr), "");
  EXPECT_EQ(client(&proxy), "203.0.113.7");
  proxy.field = "forwarded";
  EXPECT_EQ(client(&proxy), "203.0.113.8");
}

TEST_F(Requests, BeginForgetsEverything) {
  settings_.cors_origins = {"*"};
  ASSERT_EQ(get_with("/resolve?name=a", "Origin", "https://a.example"), 0);
  request_->begin();
  EXPECT_EQ(request_->finish(), 404);
  EXPECT_EQ(request_->message().size(), 0U);
  EXPECT_EQ(request_->without_answer(404, "", text_).allow_origin, "");
}

}  // namespace
}  // namespace transports
