// Listener and upstream addresses as URLs. What is said about wrong ones is in mistakes.txt.
#include "conf/urls.h"

#include <gtest/gtest.h>

#include "conf/load.h"

namespace conf {
namespace {

TEST(Urls, AnUpstreamIsSchemeAddressPortAndName) {
  const auto plain = read_upstream_url("udp://192.0.2.1");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->url, "udp://192.0.2.1");
  EXPECT_EQ(plain->protocol, Protocol::udp);
  EXPECT_EQ(plain->endpoint.to_text(), "192.0.2.1:53");
  EXPECT_EQ(plain->tls_name, "");

  const auto encrypted = read_upstream_url("tls://[2620:fe::fe]:8853#dns.quad9.net");
  ASSERT_TRUE(encrypted.has_value());
  EXPECT_EQ(encrypted->protocol, Protocol::dot);
  EXPECT_EQ(encrypted->endpoint.to_text(), "[2620:fe::fe]:8853");
  EXPECT_EQ(encrypted->tls_name, "dns.quad9.net");

  EXPECT_EQ(read_upstream_url("tcp://[fe80::1%1]")->endpoint.to_text(), "[fe80::1%1]:53");
  EXPECT_EQ(read_upstream_url("tls://[fe80::1%1]#router.example")->tls_name, "router.example");
}

TEST(Urls, OverHttpThereIsAPathAndPerhapsAHost) {
  const auto by_address = read_upstream_url("https://[2001:db8::1]:8443/r/dns{?dns}#dns.example");
  ASSERT_TRUE(by_address.has_value());
  EXPECT_EQ(by_address->protocol, Protocol::doh);
  EXPECT_EQ(by_address->endpoint.to_text(), "[2001:db8::1]:8443");
  EXPECT_EQ(by_address->path, "/r/dns");
  EXPECT_EQ(by_address->tls_name, "dns.example");
  EXPECT_EQ(by_address->places(), std::vector{by_address->endpoint});

  const auto by_name = read_upstream_url("https://dns.example");
  ASSERT_TRUE(by_name.has_value());
  EXPECT_EQ(by_name->host, "dns.example");
  EXPECT_EQ(by_name->tls_name, "dns.example");
  EXPECT_EQ(by_name->path, "/dns-query");
  EXPECT_EQ(by_name->endpoint.port, 443);
  EXPECT_TRUE(by_name->places().empty());
  EXPECT_EQ(read_upstream_url("https://192.0.2.1/")->path, "/");

  for (const auto* url :
       {"https://", "https:///dns-query", "https://192.0.2.1/?dns", "https://192.0.2.1/{?name}",
        "https://192.0.2.1/{?dns}x", "https://192.0.2.1{", "https://a..b/", "https://x@192.0.2.1/",
        "https://192.0.2.1/\xc3\xa4", "https://192.0.2.1/ ", "https://dns.example:0/"}) {
    EXPECT_FALSE(read_upstream_url(url)) << url;
  }
}

TEST(Urls, AHostIsWhereItsBootstrapAddressesAre) {
  const auto config = load_text(
      "[[upstream]]\nurl = \"https://dns.example:8443/dns-query\"\n"
      "bootstrap = [\"192.0.2.1\", \"2001:db8::1\"]\nmethod = \"get\"\n",
      "test", ".");
  ASSERT_TRUE(config.has_value());
  const Upstream& upstream = config->upstreams.front();
  EXPECT_EQ(upstream.endpoint.to_text(), "192.0.2.1:8443");
  ASSERT_EQ(upstream.places().size(), 2U);
  EXPECT_EQ(upstream.places()[1].to_text(), "[2001:db8::1]:8443");
  EXPECT_EQ(upstream.method, DohMethod::get);
}

TEST(Urls, AHostIsLookedUpByItsBootstrapResolvers) {
  const auto config = load_text(
      "[[upstream]]\nurl = \"quic://dns.example\"\nfallback = \"tls\"\n"
      "bootstrap_resolvers = [\"192.0.2.53\", \"192.0.2.53:5353\", \"2001:db8::53\", "
      "\"[2001:db8::53]:5353\"]\n",
      "test", ".");
  ASSERT_TRUE(config.has_value());
  const Upstream& upstream = config->upstreams.front();
  std::vector<std::string> resolvers;
  for (const base::Endpoint& each : upstream.bootstrap_resolvers)
    resolvers.push_back(each.to_text());
  EXPECT_EQ(resolvers, (std::vector<std::string>{"192.0.2.53:53", "192.0.2.53:5353",
                                                 "[2001:db8::53]:53", "[2001:db8::53]:5353"}));
  EXPECT_TRUE(upstream.places().empty());
  EXPECT_EQ(upstream.fallen_back().bootstrap_resolvers, upstream.bootstrap_resolvers);
}

TEST(Urls, AProxyLooksAHostUpThatNobodyElseIsToLookUp) {
  const auto config = load_text(
      "[[upstream]]\nurl = \"tls://dns.example\"\nproxy = \"http://192.0.2.9\"\n", "test", ".");
  ASSERT_TRUE(config.has_value());
  EXPECT_TRUE(config->upstreams.front().places().empty());
  EXPECT_EQ(config->upstreams.front().proxy->to_text(), "192.0.2.9:3128");
}

TEST(Rfc8310_8_1, WithoutANameTheAddressItselfIsVerified) {
  EXPECT_EQ(read_upstream_url("tls://9.9.9.9")->tls_name, "9.9.9.9");
  EXPECT_EQ(read_upstream_url("tls://[2620:00fe::FE]")->tls_name, "2620:fe::fe");
  EXPECT_EQ(read_upstream_url("tls://192.0.2.1#192.0.2.2")->tls_name, "192.0.2.2");
}

TEST(Urls, AListenerMayLetTheKernelChooseItsPort) {
  EXPECT_EQ(read_listen_url("tls://127.0.0.1:0")->endpoint.port, 0);
  EXPECT_EQ(read_listen_url("tls://[::]")->endpoint.to_text(), "[::]:853");
  EXPECT_FALSE(read_upstream_url("tls://127.0.0.1:0"));
}

TEST(Urls, HttpInTheClearIsForListenersAlone) {
  EXPECT_EQ(read_listen_url("http://127.0.0.1")->endpoint.to_text(), "127.0.0.1:80");
  EXPECT_EQ(read_listen_url("https://[::1]")->endpoint.to_text(), "[::1]:443");
  EXPECT_EQ(read_listen_url("https://[::1]/dns-query").error().suggestion,
            "leave `/dns-query` out; where DNS is asked is `paths` in [doh]");
  EXPECT_FALSE(read_upstream_url("http://192.0.2.1"));
}

TEST(Urls, WhatIsNoneIsRefused) {
  for (const auto* url : {"",
                          "://",
                          "udp:",
                          "udp:/192.0.2.1",
                          "udp://",
                          "udp://[]",
                          "udp://[192.0.2.1]",
                          "udp://192.0.2.1:",
                          "udp://192.0.2.1:x",
                          "udp://192.0.2.1:1:2",
                          "udp://192.0.2.1 ",
                          " udp://192.0.2.1",
                          "UDP://192.0.2.1",
                          "udp://[::1]x",
                          "udp://[::1]]",
                          "udp://user@192.0.2.1",
                          "udp://192.0.2.1?x",
                          "udp://192.0.2.1/",
                          "udp://255.255.255.255",
                          "udp://[ff02::1%1]",
                          "udp://[::ffff:192.0.2.1%1]",
                          "tls://9.9.9.9#a..b",
                          "tls://9.9.9.9#-a",
                          "tls://9.9.9.9#*.example.org"}) {
    EXPECT_FALSE(read_listen_url(url)) << url;
    EXPECT_FALSE(read_upstream_url(url)) << url;
  }
}

TEST(Urls, AnEndpointNeedsItsPort) {
  EXPECT_EQ(read_endpoint("127.0.0.1:8953")->to_text(), "127.0.0.1:8953");
  EXPECT_EQ(read_endpoint("[::1]:0")->to_text(), "[::1]:0");
  for (const auto* text : {"", ":80", "127.0.0.1", "127.0.0.1:", "[::1]", "::1:80", "localhost:80",
                           "127.0.0.1:65536"}) {
    EXPECT_FALSE(read_endpoint(text)) << text;
  }
}

TEST(Urls, CommandLinesGetOneSentence) {
  EXPECT_EQ(parse_upstream_url("tls://dns.google").error(),
            "`dns.google` is a host name, and a resolver cannot look its own upstream up: write "
            "the address, and the name behind `#`: "
            "`tls://8.8.8.8#dns.google`");
  EXPECT_EQ(parse_listen_url("udp://").error(),
            "there is no address: for all addresses write `udp://0.0.0.0` and `udp://[::]`");
  EXPECT_EQ(parse_upstream_url("tls://9.9.9.9")->tls_name, "9.9.9.9");
}

TEST(Rfc1123_2_1, HostNames) {
  const std::string label(63, 'a');
  const std::string longest = label + '.' + label + '.' + label + '.' + std::string(61, 'a');
  for (const std::string& name :
       {std::string{"a"}, std::string{"dns.example.org"}, std::string{"3com.example"},
        std::string{"xn--mnchen-3ya.example"}, label, longest}) {
    EXPECT_TRUE(is_host_name(name)) << name;
  }
  for (const std::string& name :
       {std::string{}, std::string{"."}, std::string{"a."}, std::string{".a"}, std::string{"a..b"},
        std::string{"-a"}, std::string{"a-"}, std::string{"a_b"}, std::string{"1.2.3.4"},
        std::string{"1.2.3"}, std::string{"::1"}, label + 'a', longest + 'a', std::string{"a b"}}) {
    EXPECT_FALSE(is_host_name(name)) << name;
  }
}

TEST(Urls, ThePathOfAnUpstreamIsNotForStrangers) {
  EXPECT_EQ(url_without_path("https://dns.example/8f3a?x#dns.example"),
            "https://dns.example#dns.example");
  EXPECT_EQ(url_without_path("h3://[2001:db8::1]:443/dns-query"), "h3://[2001:db8::1]:443");
  EXPECT_EQ(url_without_path("tls://192.0.2.1#a/b"), "tls://192.0.2.1#a/b");
  EXPECT_EQ(url_without_path("udp://192.0.2.1"), "udp://192.0.2.1");
  EXPECT_EQ(url_without_path("nonsense/x"), "nonsense/x");
}

}  // namespace
}  // namespace conf
