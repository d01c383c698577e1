// CONNECT, and what proxies say to it. RFC 9110 §9.3.6, RFC 7617.
#include "transports/upstreams/proxy_tunnel.h"

#include <gtest/gtest.h>

#include "tests/support/test_certificates.h"

namespace transports {
namespace {

using State = ProxyAnswer::State;

/// What becomes of an answer in pieces of that size; the reason, when it is refused.
std::string after(std::string_view octets, std::size_t piece = 1 << 20) {
  ProxyAnswer answer;
  State state = State::wanted;
  for (std::size_t at = 0; at < octets.size() && state == State::wanted; at += piece)
    state = answer.take(base::as_bytes(octets.substr(at, piece)));
  if (state == State::refused) return answer.why();
  return state == State::connected ? "connected" : "wanted";
}

TEST(ProxyTunnel, Rfc9112_3_2_3_TheRequestNamesHostAndPort) {
  EXPECT_EQ(proxy_request("dns.test:443", ""),
            "CONNECT dns.test:443 HTTP/1.1\r\nHost: dns.test:443\r\n\r\n");
}

TEST(ProxyTunnel, Rfc7617_2_UserAndPassword) {
  EXPECT_EQ(proxy_request("[2001:db8::1]:443", "Aladdin:open sesame"),
            "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n"
            "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
}

TEST(ProxyTunnel, Rfc9110_9_3_6_AnySuccessConnects) {
  for (const std::size_t piece : {1, 3, 1000}) {
    EXPECT_EQ(after("HTTP/1.1 200 Connection established\r\n\r\n", piece), "connected");
    EXPECT_EQ(after("HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n", piece), "connected");
    EXPECT_EQ(after("HTTP/1.1 299 x\r\n\r\n", piece), "connected");
    // A client ignores them in a success.
    EXPECT_EQ(after("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", piece), "connected");
    EXPECT_EQ(after("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", piece), "connected");
    EXPECT_EQ(after("HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", piece), "connected");
  }
}

TEST(ProxyTunnel, AnythingElseRefuses) {
  EXPECT_EQ(after("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"),
            "the proxy refuses with status 403");
  EXPECT_EQ(after("HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\n\r\n", 1),
            "the proxy refuses with status 407");
  EXPECT_EQ(after("HTTP/1.1 302 There\r\nLocation: x\r\n\r\n"),
            "the proxy refuses with status 302");
}

TEST(ProxyTunnel, WhatIsNoHttpRefuses) {
  for (const std::string_view octets :
       {"SSH-2.0-OpenSSH_9.2p1\r\n", "\x15\x03\x01 this is an alert\r\n", "HTTP/3 200 OK\r\n\r\n"})
    EXPECT_EQ(after(octets), "the proxy does not speak HTTP") << octets;
}

TEST(ProxyTunnel, WhatDoesNotEndRefuses) {
  const std::string much(10'000, 'x');
  EXPECT_EQ(after("HTTP/1.1 200 OK\r\n"), "wanted");
  for (const std::size_t piece : {1, 100'000}) {
    EXPECT_NE(after("HTTP/1.1 200 " + much, piece), "wanted");
    EXPECT_NE(after("HTTP/1.1 200 OK\r\na: " + much, piece), "wanted");
  }
  std::string hints;
  for (int i = 0; i < 10; ++i) hints += "HTTP/1.1 103 Hints\r\n\r\n";
  EXPECT_EQ(after(hints), "the proxy refuses with status 103");
}

TEST(ProxyTunnel, OctetsBehindASuccessAreNobodys) {
  EXPECT_EQ(after("HTTP/1.1 200 OK\r\n\r\n\x16"), "the proxy says more than that it connects");
}

TEST(ProxyTunnel, TheLoginIsTheFilesFirstLine) {
  conf::Upstream upstream;
  EXPECT_EQ(read_proxy_login(upstream), "");
  const auto login_of = [&](const std::string& text) {
    const test_support::TemporaryFile file(text);
    upstream.proxy_login_file = file.path();
    return read_proxy_login(upstream);
  };
  EXPECT_EQ(login_of("me:secret word\nmore\n"), "me:secret word");
  EXPECT_EQ(login_of("me:x:y\r\n"), "me:x:y");
  EXPECT_FALSE(login_of("nobody\n"));
  EXPECT_FALSE(read_proxy_login(upstream));  // the file is gone
}

}  // namespace
}  // namespace transports
