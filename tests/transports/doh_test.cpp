// From requests to queries, and from answers to responses. RFC 8484.
#include "transports/doh.h"

#include <gtest/gtest.h>

#include <string>

#include "transports/base64url.h"

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
    return request_->finish();
  }
  std::uint16_t post(std::string_view content, std::string_view type = dns_message_type,
                     const std::string& path = "/dns-query") {
    request_.emplace(budget_);
    request_->target(path, settings_);
    request_->method("POST");
    request_->field("Content-Type", type);
    request_->content(base::as_bytes(content));
    return request_->finish();
  }
  [[nodiscard]] std::string message() const {
    return std::string(base::as_text(request_->message()));
  }

  OctetBudget budget_;
  conf::Doh settings_;
  std::optional<DohRequest> request_;
};

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
  for (const char* path : {"/", "/dns-query/", "/DNS-query", "*", "", "dns-query", "/x?dns=AAAA"})
    EXPECT_EQ(get(path), 404) << path;
  settings_.paths = {"/a", "/b"};
  EXPECT_EQ(get("/b?dns=" + std::string(example)), 0);
  EXPECT_EQ(get("/dns-query?dns=" + std::string(example)), 404);
}

TEST_F(Requests, OtherMethodsAreNotAllowed) {
  for (const char* method : {"PUT", "DELETE", "OPTIONS", "get", "CONNECT", ""})
    EXPECT_EQ(get("/dns-query?dns=" + std::string(example), method), 405) << method;
  EXPECT_EQ(doh_refusal(405).allow, "GET, HEAD, POST");
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

std::string fields_of(const HttpResponse& response) {
  std::string out;
  for (const HttpField& field : HttpFields(response).all())
    out.append(field.name).append(": ").append(field.value).append("\n");
  return out;
}

TEST(Rfc8484_5_1, FreshnessIsTheLeastTtl) {
  AnswerSummary summary;
  summary.least_ttl = 4294967295;
  EXPECT_EQ(fields_of(doh_response(base::as_bytes("12345"), summary)),
            "content-type: application/dns-message\ncontent-length: 5\n"
            "cache-control: max-age=4294967295\n");
  summary.least_ttl = 0;
  EXPECT_EQ(doh_response({}, summary).max_age, 0U);
}

TEST(DohRefusal, HasASentence) {
  EXPECT_EQ(fields_of(doh_refusal(405)),
            "content-type: text/plain\ncontent-length: 35\nallow: GET, HEAD, POST\n");
  for (const std::uint16_t status : {400, 404, 405, 408, 413, 414, 415, 431, 503}) {
    EXPECT_FALSE(doh_refusal(status).body.empty()) << status;
    EXPECT_NE(http_reason(status), "Unknown") << status;
  }
}

}  // namespace
}  // namespace transports
