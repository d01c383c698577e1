// Addresses with their transport as scheme: "udp://127.0.0.1:53",
// "tls://[2620:fe::fe]#dns.quad9.net", "https://192.0.2.1/dns-query". RFC 3986 §3 in so far as it
// applies. A host name is for upstreams alone whose addresses are told elsewhere: whoever is the
// resolver has nobody to ask.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "conf/config.h"
#include "conf/units.h"

namespace conf {

/// scheme://address-or-host[:port][/path][#name]. Sets url, protocol, endpoint, tls_name, and path
/// over HTTP; the rest is usual. A host name is in `host`, and the endpoint's address 0.0.0.0:
/// somebody must tell it (bootstrap, proxy).
std::expected<Upstream, Refusal> read_upstream_url(std::string_view url);
/// scheme://address[:port]; port 0 lets the kernel choose.
std::expected<ListenAddress, Refusal> read_listen_url(std::string_view url);
/// How to write an upstream whose URL has a host name by address; a sentence.
std::string address_instead(const Upstream& upstream);
/// http://address:port, for a proxy.
std::expected<base::Endpoint, Refusal> read_proxy_url(std::string_view url);
/// An address, and a port if it is not 53: a plain DNS server.
std::expected<base::Endpoint, Refusal> read_resolver(std::string_view text);
/// address:port, for the admin listener.
std::expected<base::Endpoint, Refusal> read_endpoint(std::string_view text);

/// An upstream's URL as strangers may see it: without the path, which may be an account's secret.
std::string url_without_path(std::string_view url);

/// RFC 1123 §2.1: letters, digits and hyphens; labels of 1 to 63, 253 in all; not an address.
bool is_host_name(std::string_view name);

}  // namespace conf
