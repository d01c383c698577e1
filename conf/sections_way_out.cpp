// The way to an upstream, key by key.
#include "conf/sections_way_out.h"

#include <format>
#include <utility>

#include "conf/urls.h"

namespace conf {
namespace {

using enum Applies;

bool is_over_tcp(Protocol protocol) {
  return protocol == Protocol::tcp || protocol == Protocol::dot || protocol == Protocol::doh;
}

bool is_over_quic(Protocol protocol) {
  return protocol == Protocol::doq || protocol == Protocol::doh3;
}

void check_fallback(const Node& table, const Upstream& upstream, Reading& reading) {
  if (!upstream.fallback) return;
  if (!is_over_quic(upstream.protocol))
    return complain_pointless(table, "fallback", upstream, "quic:// and h3://", reading);
  const Protocol other = upstream.protocol == Protocol::doq ? Protocol::dot : Protocol::doh;
  if (*upstream.fallback == other) return;
  reading.complain(table.find("fallback")->value.place,
                   std::format("{}:// does not fall back to {}://",
                               row_of(upstream.protocol).scheme, row_of(*upstream.fallback).scheme),
                   std::format("write \"{}\"; another transport is an [[upstream]] of its own",
                               row_of(other).scheme));
}

void check_resolvers(const Node& table, const Upstream& upstream, Reading& reading) {
  if (upstream.bootstrap_resolvers.empty() || upstream.url.empty()) return;
  const auto complain = [&](std::string_view where, std::string_view suggestion) {
    reading.complain(table.find("bootstrap_resolvers")->place,
                     std::format("`bootstrap_resolvers` has no effect {}", where),
                     std::string{suggestion});
  };
  if (upstream.host.empty())
    return complain("on an address", "write the host's name into `url`, or leave this out");
  if (!row_of(upstream.protocol).encrypted)
    return complain_pointless(table, "bootstrap_resolvers", upstream,
                              "encrypted transports, whose certificate proves the host", reading);
  if (!upstream.bootstrap.empty())
    return complain("beside `bootstrap`", "keep one of the two: nothing is looked up that is told");
  if (upstream.proxy)
    complain("with `proxy`", "the proxy looks the host up; leave one of the two out");
}

/// The first of them is where the upstream is, for whoever needs one place.
Row<Upstream> bootstrap_row() {
  Row<Upstream> row = conf::row(
      "bootstrap", &Upstream::bootstrap, addresses(), at_reload,
      "Where the host is that the URL names, for a resolver cannot look its own upstream up. The "
      "next address is tried when one does not answer.");
  row.read = [read = std::move(row.read)](const Node& node, Upstream& upstream, Reading& reading) {
    read(node, upstream, reading);
    if (!upstream.host.empty() && !upstream.bootstrap.empty())
      upstream.endpoint.address = upstream.bootstrap.front();
  };
  return row;
}

}  // namespace

std::vector<Row<Upstream>> with_way_out(std::vector<Row<Upstream>> rows) {
  rows.push_back(bootstrap_row());
  rows.push_back(
      row("bootstrap_resolvers", &Upstream::bootstrap_resolvers, resolvers(), at_reload,
          "Instead of `bootstrap`: plain DNS servers that are asked where the URL's host is, the "
          "next one when one fails. What they say is kept in the state directory, and asked again "
          "when its TTL ends or nobody answers there. It travels in the clear, but a forged "
          "address can do no more than fail: the certificate is verified for the host's name."));
  rows.push_back(
      row("method", &Upstream::method, doh_method(), at_reload,
          "How https:// and h3:// ask: post keeps questions out of the server's logs, get lets a "
          "cache on the way answer (RFC 8484 §4.1)."));
  rows.push_back(
      row("fallback", &Upstream::fallback, fallback(), at_reload,
          "How to ask a quic:// (tls) or h3:// (https) upstream, on the same port number, where no "
          "UDP gets through to it: a question waits for a connection over QUIC for 300 ms, then "
          "goes this way as well. QUIC is tried again later, every 5 s to 5 min."));
  rows.push_back(
      row("early_data", &Upstream::early_data, flag(), at_reload,
          "Over quic:// and h3://, ask with the first packets of a resumed connection (0-RTT), "
          "which saves a round trip. Whoever records them can send them again, and see from what "
          "the upstream then does what was asked (RFC 9250 §10.4)."));
  rows.push_back(row("proxy", &Upstream::proxy, http_proxy(), at_reload,
                     "The HTTP proxy that connects to the upstream, where no other way leads out "
                     "(CONNECT). It looks up the URL's host when there is no `bootstrap`."));
  rows.push_back(row("proxy_login_file", &Upstream::proxy_login_file, login_file(), at_reload,
                     "The proxy's user and password, if it asks for them."));
  return rows;
}

void complain_pointless(const Node& table, std::string_view key, const Upstream& upstream,
                        std::string_view where, Reading& reading) {
  if (upstream.url.empty()) return;  // its own complaint comes first
  reading.complain(
      table.find(key)->place,
      std::format("`{}` has no effect on {}://", key, row_of(upstream.protocol).scheme),
      std::format("it belongs to {}; leave it out here", where));
}

void check_way_out(const Node& table, const Upstream& upstream, Reading& reading) {
  if (!row_of(upstream.protocol).http && upstream.method != DohMethod::post)
    complain_pointless(table, "method", upstream, "https:// and h3://", reading);
  check_fallback(table, upstream, reading);
  if (upstream.early_data && !is_over_quic(upstream.protocol))
    complain_pointless(table, "early_data", upstream, "quic:// and h3://", reading);
  if (upstream.proxy && !is_over_tcp(upstream.protocol))
    complain_pointless(table, "proxy", upstream, "tcp://, tls:// and https://", reading);
  if (!upstream.proxy && !upstream.proxy_login_file.empty()) {
    reading.complain(table.find("proxy_login_file")->place,
                     "`proxy_login_file` has no effect without `proxy`",
                     "name the proxy, or leave this out");
  }
  if (upstream.host.empty() && !upstream.bootstrap.empty() && !upstream.url.empty()) {
    reading.complain(table.find("bootstrap")->place, "`bootstrap` has no effect on an address",
                     "write the host's name into `url`, or leave this out");
  }
  check_resolvers(table, upstream, reading);
  const bool is_known = !upstream.bootstrap.empty() || upstream.proxy;
  if (upstream.host.empty() || is_known || !upstream.bootstrap_resolvers.empty()) return;
  reading.complain(
      table.find("url")->value.place,
      std::format("`{}` is a host name, and a resolver cannot look its own upstream up",
                  upstream.host),
      row_of(upstream.protocol).encrypted
          ? address_instead(upstream) +
                ", or tell its addresses in `bootstrap`, or who knows them "
                "in `bootstrap_resolvers`"
          : address_instead(upstream));
}

}  // namespace conf
