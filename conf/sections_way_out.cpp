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
      row("method", &Upstream::method, doh_method(), at_reload,
          "How https:// and h3:// ask: post keeps questions out of the server's logs, get lets a "
          "cache on the way answer (RFC 8484 §4.1)."));
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
  if (upstream.host.empty() || !upstream.bootstrap.empty() || upstream.proxy) return;
  reading.complain(
      table.find("url")->value.place,
      std::format("`{}` is a host name, and a resolver cannot look its own upstream up",
                  upstream.host),
      row_of(upstream.protocol).encrypted
          ? address_instead(upstream) + ", or tell its addresses in `bootstrap`"
          : address_instead(upstream));
}

}  // namespace conf
