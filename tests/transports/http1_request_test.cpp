// A request over HTTP/1.1, whole, in pieces, and wrong. RFC 9112.
#include "transports/http1/request_parser.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/support/allocation_count.h"

namespace transports::http1 {
namespace {

const std::string get = "GET /dns-query?dns=AAABAAABAAAAAAAAA3d3dwAAAQAB HTTP/1.1\r\nhost: x\r\n";
const std::string post =
    "POST /dns-query HTTP/1.1\r\nHost: x:443\r\nContent-Type: application/dns-message\r\n";

class Http1Request : public testing::Test {
 protected:
  /// Gives `text` in pieces of that size, each with what the parser left of the one before.
  void take(std::string_view text, std::size_t piece = std::string::npos) {
    request.begin();
    parser.emplace(request, settings);
    std::string unread;
    while (!text.empty() && parser->failure() == 0 && !parser->is_whole()) {
      unread += text.substr(0, piece);
      text.remove_prefix(std::min(piece, text.size()));
      unread.erase(0, parser->take(base::as_bytes(unread)));
    }
    left = unread + std::string(text);
  }
  std::uint16_t failure_of(const std::string& text) {
    take(text);
    return parser->failure();
  }

  OctetBudget budget;
  conf::Doh settings;
  DohRequest request{budget};
  std::optional<RequestParser> parser;
  std::string left;
};

TEST_F(Http1Request, IsTheSameInPiecesOfAnySize) {
  const std::string body(40, 'q');
  const std::string length = post + "content-length: 40\r\n\r\n" + body;
  const std::string chunks = post + "transfer-encoding: Chunked\r\n\r\n1E;x=\"y\"\r\n" +
                             body.substr(10) + "\r\na\r\n" + body.substr(30) +
                             "\r\n0\r\ntrailer: z\r\n\r\n";
  for (const std::string& text : {length, chunks}) {
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
      take(text + "GET", piece);
      ASSERT_EQ(parser->failure(), 0) << piece;
      ASSERT_TRUE(parser->is_whole()) << piece;
      EXPECT_EQ(left, "GET");
      EXPECT_TRUE(parser->keeps_open());
      EXPECT_EQ(request.finish(), 0);
      EXPECT_EQ(base::as_text(request.message()), body);
    }
  }
}

TEST_F(Http1Request, AsksTheHeapForNothing) {
  const std::string text = get + "accept: application/dns-message\r\n\r\n";
  take(text);
  const std::uint64_t before = test::allocations_of_this_thread();
  for (int i = 0; i < 100; ++i) {
    request.begin();
    parser.emplace(request, settings);
    parser->take(base::as_bytes(text));
  }
  EXPECT_EQ(test::allocations_of_this_thread() - before, 0U);
  EXPECT_TRUE(parser->is_whole());
}

TEST_F(Http1Request, Rfc9112_6_3_WhatCanBeReadInTwoWaysIsRefused) {
  const std::string length = "content-length: 5\r\n", chunked = "transfer-encoding: chunked\r\n";
  EXPECT_EQ(failure_of(post + length + chunked + "\r\n"), 400);
  EXPECT_EQ(failure_of(post + chunked + length + "\r\n"), 400);
  EXPECT_EQ(failure_of(post + length + "content-length: 6\r\n\r\n"), 400);
  EXPECT_EQ(failure_of(post + chunked + chunked + "\r\n"), 400);
  EXPECT_EQ(failure_of(post + "transfer-encoding: chunked, gzip\r\n\r\n"), 501);
  EXPECT_EQ(failure_of(post + "transfer-encoding: gzip\r\n\r\n"), 501);
  EXPECT_EQ(failure_of(post + "content-length: 0x5\r\n\r\n"), 400);
  EXPECT_EQ(failure_of(post + "content-length: -5\r\n\r\n"), 400);
  EXPECT_EQ(failure_of(post + "content-length: 65536\r\n\r\n"), 413);
  EXPECT_EQ(failure_of(post + chunked + "\r\nffff\r\n" + std::string(65535, 'a') + "\r\n1\r\n"),
            413);
  EXPECT_EQ(failure_of(post + "x : y\r\n\r\n"), 400);
}

TEST_F(Http1Request, Rfc9112_3_2_NamesItsHostOnce) {
  EXPECT_EQ(failure_of("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(failure_of("GET / HTTP/1.0\r\n\r\n"), 0);
  EXPECT_EQ(failure_of(get + "host: x\r\n\r\n"), 400);
  EXPECT_EQ(failure_of("GET / HTTP/1.1\r\nhost: a b\r\n\r\n"), 400);
  EXPECT_EQ(failure_of("GET / HTTP/1.1\r\nhost: [::1]:8443\r\n\r\n"), 0);
}

TEST_F(Http1Request, Rfc9112_3_2_2_AbsoluteFormIsTaken) {
  for (const char* target : {"https://dns.example/", "HTTP://dns.example", "/"}) {
    take(std::string("GET ") + target + " HTTP/1.1\r\nhost: x\r\n\r\n");
    EXPECT_EQ(request.finish(), 200) << target;
  }
}

TEST_F(Http1Request, IsBounded) {
  EXPECT_EQ(failure_of("GET /" + std::string(30'000, 'a')), 414);
  EXPECT_EQ(failure_of(get + "x: " + std::string(30'000, 'a')), 431);
  std::string many = get;
  for (int i = 0; i < 101; ++i) many += "x: y\r\n";
  EXPECT_EQ(failure_of(many + "\r\n"), 0);
  EXPECT_EQ(request.finish(), 431);
}

TEST_F(Http1Request, Rfc9112_9_3_SaysWhetherAnotherMayFollow) {
  const auto keeps_open = [this](const std::string& text) {
    take(text);
    return parser->is_whole() && parser->keeps_open();
  };
  EXPECT_TRUE(keeps_open(get + "\r\n"));
  EXPECT_FALSE(keeps_open(get + "connection: te, close\r\n\r\n"));
  EXPECT_FALSE(keeps_open("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps_open("GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n"));
}

TEST_F(Http1Request, Rfc9110_10_1_1_AwaitsPermissionUntilContentComes) {
  const std::string head = post + "content-length: 5\r\nexpect: 100-Continue\r\n\r\n";
  take(head);
  EXPECT_TRUE(parser->awaits_permission());
  take(head + "a");
  EXPECT_FALSE(parser->awaits_permission());
  EXPECT_EQ(failure_of(post + "expect: more\r\n\r\n"), 417);
}

}  // namespace
}  // namespace transports::http1
