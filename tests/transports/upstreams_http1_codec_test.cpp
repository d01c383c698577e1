// HTTP/1.1 as an upstream may speak it, in any pieces: where a response ends, whether the
// connection goes on, and what ends it. RFC 9112, RFC 8484.
#include "transports/upstreams/http1_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <concepts>
#include <format>

#include "tests/transports/doh_link_fixture.h"

namespace transports {
namespace {

using testing::HasSubstr;
using namespace test_support;

constexpr std::string_view head = "HTTP/1.1 200 OK\r\ncontent-type: application/dns-message\r\n";

std::string with_length(std::string_view body, std::string_view fields = {}) {
  return std::format("{}{}content-length: {}\r\n\r\n{}", head, fields, body.size(), body);
}

std::string chunked(std::string_view body, std::string_view trailer = {}) {
  return std::format(
      "{}transfer-encoding: chunked\r\n\r\n5;x=\"y\"\r\n{}\r\n{:x}\r\n{}\r\n0\r\n{}\r\n", head,
      body.substr(0, 5), body.size() - 5, body.substr(5), trailer);
}

class Http1 : public DohLinkFixture {
 protected:
  Http1() { begin(); }
  void begin(conf::DohMethod method = conf::DohMethod::post) {
    link_with(method, [](Link& link, const DohTarget& target) {
      return std::make_unique<Http1Codec>(link, target);
    });
  }
  /// Asks, and what comes of that when the upstream says `octets` in pieces of that size.
  std::string heard(std::invocable<std::string> auto make, std::size_t piece = 1 << 20) {
    begin();
    Waiting& waiting = ask();
    link_->said();
    const std::string octets = make(reply_to(waiting, 7));
    for (std::size_t at = 0; at < octets.size(); at += piece)
      link_->hear(std::string_view{octets}.substr(at, piece));
    return outcome(waiting);
  }
  std::string heard(std::string_view octets) {
    return heard([&](const std::string&) { return std::string{octets}; });
  }
};

TEST_F(Http1, Rfc9112_3_TheRequest) {
  Waiting& waiting = ask();
  const std::string said = link_->said();
  const std::size_t end = said.find("\r\n\r\n");
  ASSERT_NE(end, std::string::npos);
  EXPECT_EQ(said.substr(0, end),
            "POST /dns-query HTTP/1.1\r\nhost: dns.test\r\naccept: application/dns-message\r\n"
            "content-type: application/dns-message\r\ncontent-length: 128");
  EXPECT_EQ(said.size() - end - 4, 128U);
  link_->hear(with_length(reply_to(waiting)));
  EXPECT_EQ(outcome(waiting), "answer 1");
}

TEST_F(Http1, Rfc8484_4_1_GetCarriesTheQueryInItsTarget) {
  begin(conf::DohMethod::get);
  ask();
  const std::string said = link_->said();
  EXPECT_TRUE(said.starts_with("GET /dns-query?dns=AAABI"));  // id 0, RD and AD
  EXPECT_TRUE(said.ends_with("\r\n\r\n"));
  EXPECT_FALSE(said.contains("content-"));
}

TEST_F(Http1, Rfc9112_6_ResponsesInAnyPieces) {
  for (const std::size_t piece : {1, 2, 3, 7, 64, 100'000}) {
    EXPECT_EQ(heard([](auto body) { return with_length(body); }, piece), "answer 7") << piece;
    EXPECT_EQ(heard([](auto body) { return chunked(body); }, piece), "answer 7") << piece;
    EXPECT_EQ(heard([](auto body) { return chunked(body, "content-type: text/html\r\n"); }, piece),
              "answer 7")
        << piece;
  }
}

TEST_F(Http1, Rfc9112_9_3_OneConnectionServesManyQuestionsOneAfterTheOther) {
  for (int i = 1; i <= 5; ++i) {
    EXPECT_TRUE(link_->takes_more());
    Waiting& waiting = ask();
    EXPECT_FALSE(link_->takes_more());  // no pipelining
    link_->said();
    link_->hear(with_length(reply_to(waiting, static_cast<std::uint8_t>(i))));
    EXPECT_EQ(outcome(waiting), "answer " + std::to_string(i));
  }
}

TEST_F(Http1, AQuestionTooManyIsGivenBack) {
  ask();
  Waiting& second = ask();
  EXPECT_TRUE(second.failure && second.unprocessed);
}

TEST_F(Http1, Rfc9112_9_6_CloseEndsTheConnectionBehindTheAnswer) {
  for (const std::string_view fields : {"connection: close\r\n", "Connection: x, CLOSE\r\n"}) {
    EXPECT_EQ(heard([&](auto body) { return with_length(body, fields); }), "answer 7");
    EXPECT_TRUE(link_->closed());
  }
}

TEST_F(Http1, Rfc9112_9_3_Http10EndsTheConnectionBehindTheAnswer) {
  EXPECT_EQ(heard([](auto body) { return with_length(body).replace(7, 1, "0"); }), "answer 7");
  EXPECT_TRUE(link_->closed());
}

TEST_F(Http1, Rfc9112_6_3_ABodyWithoutALengthEndsWithTheConnection) {
  Waiting& waiting = ask();
  link_->said();
  link_->hear(std::string(head) + "\r\n" + reply_to(waiting, 9));
  EXPECT_EQ(outcome(waiting), "");
  link_->hear_end();
  EXPECT_EQ(outcome(waiting), "answer 9");
}

TEST_F(Http1, Rfc9112_8_IncompleteResponsesAreNone) {
  for (const std::string_view octets :
       {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-type: application/dns-message\r\n"}) {
    begin();
    Waiting& waiting = ask();
    link_->said();
    link_->hear(octets);
    link_->hear_end();
    EXPECT_THAT(outcome(waiting), HasSubstr("closed")) << octets;
  }
  for (auto make : {+[](const std::string& body) { return with_length(body); },
                    +[](const std::string& body) { return chunked(body); }}) {
    begin();
    Waiting& waiting = ask();
    link_->said();
    std::string octets = make(reply_to(waiting));
    octets.pop_back();
    link_->hear(octets);
    link_->hear_end();
    EXPECT_THAT(outcome(waiting), HasSubstr("closed in the middle of a response"));
  }
}

TEST_F(Http1, Rfc9110_15_2_InterimResponsesArePassedOver) {
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
  for (const std::size_t piece : {1, 1000}) {
    EXPECT_EQ(heard([&](auto body) { return hints + hints + with_length(body); }, piece),
              "answer 7");
  }
  EXPECT_THAT(heard(hints + hints + hints + hints + hints), HasSubstr("HTTP status 103"));
  EXPECT_THAT(heard("HTTP/1.1 101 Switching\r\nupgrade: h2c\r\n\r\n"),
              HasSubstr("HTTP status 101"));
  EXPECT_TRUE(link_->closed());
}

TEST_F(Http1, ResponsesThatAreNoAnswersLeaveTheConnectionOpen) {
  EXPECT_THAT(heard("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy"),
              HasSubstr("HTTP status 503"));
  EXPECT_FALSE(link_->closed());
  EXPECT_THAT(heard("HTTP/1.1 204 None\r\n\r\n"), HasSubstr("an HTTP response without a type"));
  EXPECT_FALSE(link_->closed());
}

TEST_F(Http1, Rfc9112_6_1_SmuggledLengthsAreRefused) {
  // Which of the two is meant? A cache between might think otherwise than we.
  for (const std::string_view fields :
       {"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n", "content-length: 5, 6\r\n",
        "content-length: -1\r\n", "content-length: +5\r\n", "content-length: 0x5\r\n",
        "content-length: \r\n", "content-length: 99999999999999999999999\r\n"}) {
    EXPECT_THAT(heard(std::string(head) + std::string(fields) + "\r\nhello"),
                testing::AnyOf(HasSubstr("HTTP/1.1 that is none"), HasSubstr("more than a DNS")))
        << fields;
    EXPECT_TRUE(link_->closed()) << fields;
  }
}

TEST_F(Http1, WhatIsNoHttpEndsTheConnection) {
  for (const std::string_view octets :
       {std::string_view("\0\x0c\0\1\x81\x80\0\1\0\0\0\0\0\0", 14),
        std::string_view("HTTP/2 200 OK\r\n\r\n"), std::string_view("HTTP/1.1 2 OK\r\n\r\n"),
        std::string_view("HTTP/1.1 200 OK\r\na b\r\n\r\n"),
        std::string_view("HTTP/1.1 200 OK\r\n: x\r\n\r\n"),
        std::string_view("HTTP/1.1 200 OK\r\nna me: x\r\n\r\n"),
        std::string_view("HTTP/1.1 200 OK\r\na: \0\r\n\r\n", 26)}) {
    EXPECT_THAT(heard(octets), HasSubstr("HTTP/1.1 that is none")) << octets;
    EXPECT_TRUE(link_->closed());
  }
}

TEST_F(Http1, WhatDoesNotEndIsBounded) {
  const std::string much(100'000, 'x');
  EXPECT_THAT(heard("HTTP/1.1 200 " + much), HasSubstr("HTTP/1.1 that is none"));
  EXPECT_THAT(heard("HTTP/1.1 200 OK\r\na: " + much), HasSubstr("HTTP/1.1 that is none"));
  EXPECT_THAT(heard(std::string(head) + "transfer-encoding: chunked\r\n\r\n5;" + much),
              HasSubstr("HTTP/1.1 that is none"));
  EXPECT_THAT(heard(std::string(head) + "content-length: 65536\r\n\r\n"),
              HasSubstr("more than a DNS message"));
  EXPECT_THAT(heard(std::string(head) + "\r\n" + much), HasSubstr("more than a DNS message"));
}

TEST_F(Http1, WhatNobodyAskedForEndsTheConnection) {
  link_->hear(with_length("x"));
  EXPECT_TRUE(link_->closed());
  EXPECT_EQ(heard([](auto body) { return with_length(body) + "HTTP"; }), "answer 7");
  EXPECT_TRUE(link_->closed());
}

TEST_F(Http1, AnAnswerThatNobodyWaitsForAnyMoreFreesTheConnection) {
  Waiting& waiting = ask();
  link_->said();
  const std::string reply = with_length(reply_to(waiting));
  asked_.clear();
  EXPECT_FALSE(link_->takes_more());
  link_->hear(reply);
  EXPECT_TRUE(link_->takes_more());
  EXPECT_FALSE(link_->closed());
}

}  // namespace
}  // namespace transports
