// The kinds of values that keys take: how each is read from a node, printed as TOML, and described
// to a person. Values: made once, in the tables of conf/sections.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"
#include "conf/reading.h"

namespace conf {

template <class T>
struct Kind {
  /// Nothing, and at least one complaint, when the node holds no such value.
  std::function<std::optional<T>(const Node&, Reading&)> read;
  /// As it would stand behind the `=`.
  std::function<std::string(const T&)> print;
  std::string accepts;  ///< "100ms to 30s"
};

Kind<std::chrono::milliseconds> duration(Bounds<std::chrono::milliseconds> bounds);
Kind<std::chrono::seconds> whole_seconds(Bounds<std::chrono::seconds> bounds);
Kind<std::uint32_t> count(Bounds<std::uint32_t> bounds);
Kind<std::uint64_t> size(Bounds<std::uint64_t> bounds);
Kind<bool> flag();
Kind<std::string> choice(const std::vector<std::string>& words);
Kind<DohMethod> doh_method();
/// The scheme of the transport over TCP that stands in for one over QUIC.
Kind<std::optional<Protocol>> fallback();
Kind<Strategy> strategy();
Kind<base::LogLevel> log_level();
Kind<base::LogFormat> log_format();

/// Empty for none.
Kind<std::string> host_name();
/// Of a set of upstreams: letters, digits, hyphens.
Kind<std::string> set_name();
/// A file that can be read now and holds `mark` ("-----BEGIN CERTIFICATE-----", say). Empty for
/// none.
Kind<std::string> readable_file(std::string_view holds, std::string_view mark);
/// A file that can be read now and has "user:password" as its only line. Empty for none.
Kind<std::string> login_file();
/// A file that may not be there yet, but whose directory is. Empty for none.
Kind<std::string> new_file();
/// A directory that will be made. Empty for none.
Kind<std::string> directory();

Kind<std::vector<ListenAddress>> listen_addresses();
Kind<std::optional<base::Endpoint>> endpoint_or_off();
Kind<std::optional<base::Endpoint>> http_proxy();
Kind<std::vector<base::Address>> addresses();
/// Plain DNS servers; port 53 if nothing else is said.
Kind<std::vector<base::Endpoint>> resolvers();
Kind<std::vector<base::Prefix>> prefixes();
Kind<std::vector<base::Prefix>> prefixes_or_none();
/// Transports that may stand behind a load balancer, by their schemes: "tls".
Kind<std::vector<Protocol>> balanced_schemes();
Kind<dns::Name> domain_name();
Kind<std::vector<dns::Name>> names();
Kind<std::vector<std::string>> pins();
/// Of URLs: RFC 3986 §3.3, without what would have to be percent-encoded.
Kind<std::vector<std::string>> url_paths();
Kind<std::string> url_path_or_off();
/// Of web pages: RFC 6454.
Kind<std::vector<std::string>> origins();

/// The node's text; nothing and a complaint when it is something else.
std::optional<std::string> read_text(const Node& node, std::string_view like, Reading& reading);
/// A TOML basic string.
std::string toml_string(std::string_view text);

}  // namespace conf
