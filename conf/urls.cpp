// Addresses with their transport as scheme.
#include "conf/urls.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <format>
#include <optional>

#include "conf/load.h"
#include "conf/spelling.h"

namespace conf {
namespace {

using Unexpected = std::unexpected<Refusal>;

Unexpected refuse(std::string message, std::string suggestion = {}) {
  return Unexpected{Refusal{std::move(message), std::move(suggestion)}};
}

/// The parts of a URL as written.
struct Parts {
  const ProtocolRow* row = nullptr;
  std::string_view host;  ///< without brackets
  bool brackets = false;
  std::string_view port;  ///< empty when there was no colon
  bool has_port = false;
  std::string_view path;  ///< from its slash on
  std::string_view fragment;
  bool has_fragment = false;

  [[nodiscard]] bool names_host() const { return !brackets && !base::Address::from_text(host); }
};

std::string known_schemes() {
  std::string out;
  for (const ProtocolRow& row : protocols)
    out += std::format("{}{}://", out.empty() ? "" : ", ", row.scheme);
  return out;
}

Unexpected unknown_scheme(std::string_view url, std::string_view scheme) {
  std::array<std::string_view, protocols.size() * 2> names;
  for (std::size_t i = 0; i < protocols.size(); ++i) {
    names[2 * i] = protocols[i].scheme;
    names[(2 * i) + 1] = protocols[i].name;
  }
  std::string suggestion = std::format("one of {}", known_schemes());
  if (const auto meant = nearest(scheme, names)) {
    const auto row = std::ranges::find_if(protocols, [meant](const ProtocolRow& each) {
      return each.scheme == *meant || each.name == *meant;
    });
    suggestion = std::format("did you mean `{}{}`?", row->scheme, url.substr(scheme.size()));
  }
  return refuse(std::format("`{}://` is no transport of ours", scheme), std::move(suggestion));
}

/// An address that is a whole text, or an IPv6 address in brackets, in front of a port.
std::expected<void, Refusal> split_host(std::string_view rest, Parts& parts) {
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos)
      return refuse("the bracket `[` is not closed", "write IPv6 addresses like `[2001:db8::1]`");
    parts.host = rest.substr(1, end - 1);
    parts.brackets = true;
    rest.remove_prefix(end + 1);
  } else {
    if (std::ranges::count(rest, ':') > 1) {
      const std::string scheme =
          parts.row == nullptr ? "" : std::format("{}://", parts.row->scheme);
      const std::string suggestion = base::Address::from_text(rest)
                                         ? std::format("write `{}[{}]`", scheme, rest)
                                         : "write it like `[2001:db8::1]:853`";
      return refuse("an IPv6 address stands in brackets", suggestion);
    }
    parts.host = rest.substr(0, rest.find(':'));
    rest.remove_prefix(parts.host.size());
  }
  if (rest.empty()) return {};
  if (rest.front() != ':')
    return refuse(std::format("`{}` does not belong behind an address", rest),
                  "a port follows as `:853`");
  parts.port = rest.substr(1);
  parts.has_port = true;
  return {};
}

std::expected<Parts, Refusal> split(std::string_view url) {
  Parts parts;
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) {
    const std::string host = base::Address::from_text(url) && url.contains(':')
                                 ? std::format("[{}]", url)
                                 : std::string{url};
    return refuse(std::format("`{}` names no transport", url),
                  std::format("write `udp://{0}` or, encrypted, `tls://{0}`", host));
  }
  const std::string_view scheme = url.substr(0, colon);
  const auto protocol = protocol_from_scheme(scheme);
  if (!protocol) return unknown_scheme(url, scheme);
  parts.row = &row_of(*protocol);

  std::string_view rest = url.substr(colon + 3);
  if (const std::size_t hash = rest.find('#'); hash != std::string_view::npos) {
    parts.fragment = rest.substr(hash + 1);
    parts.has_fragment = true;
    rest = rest.substr(0, hash);
  }
  if (const std::size_t end = rest.find_first_of("/?{"); end != std::string_view::npos) {
    parts.path = rest.substr(end);
    rest = rest.substr(0, end);
  }
  if (rest.contains('@'))
    return refuse("no user stands in front of an address",
                  std::format("leave `{}` out", rest.substr(0, rest.find('@') + 1)));
  if (auto done = split_host(rest, parts); !done) return std::unexpected(done.error());
  return parts;
}

std::expected<void, Refusal> refuse_path(const Parts& parts) {
  if (parts.path.empty()) return {};
  const std::string_view hint = parts.row->http ? "; where DNS is asked is `paths` in [doh]" : "";
  return refuse(std::format("`{}://` takes no path", parts.row->scheme),
                std::format("leave `{}` out{}", parts.path, hint));
}

/// Where DNS is asked over HTTP: a path, behind which the template's `{?dns}` may stand (RFC 8484
/// §3, RFC 6570).
std::expected<std::string, Refusal> path_of(const Parts& parts) {
  constexpr std::string_view usual = "/dns-query";
  constexpr std::string_view variable = "{?dns}";
  constexpr std::string_view others = "/-._~!$&'()*+,;=:@%";  // RFC 3986 §3.3
  constexpr std::size_t size_most = 512;
  std::string_view path = parts.path;
  if (path.ends_with(variable)) path.remove_suffix(variable.size());
  if (path.empty()) return std::string{usual};
  const auto stranger = std::ranges::find_if(path, [others](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             others.contains(c));
  });
  if (stranger != path.end()) {
    return refuse(std::format("`{}` has no place in a path",
                              path.substr(static_cast<std::size_t>(stranger - path.begin()), 1)),
                  *stranger == '?' || *stranger == '{'
                      ? "the only variable is `{?dns}`, at the end"
                      : std::format("in a path it is written `%{:02X}`",
                                    static_cast<unsigned char>(*stranger)));
  }
  if (path.front() != '/' || path.size() > size_most)
    return refuse(std::format("`{}` is no path of a DNS server", parts.path),
                  std::format("a path begins with `/` and has at most {} characters", size_most));
  return std::string{path};
}

std::expected<std::uint16_t, Refusal> port_of(std::string_view text, std::uint16_t least) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool number = error == std::errc{} && end == text.data() + text.size() &&
                      (text.size() == 1 || text.front() != '0');
  if (!number || port < least || port > 65535) {
    return refuse(std::format("`{}` is not a port", text),
                  std::format("a port is a number from {} to 65535", least));
  }
  return static_cast<std::uint16_t>(port);
}

std::expected<base::Endpoint, Refusal> endpoint_of(const Parts& parts, std::uint16_t usual_port,
                                                   std::uint16_t least_port) {
  const auto address = base::Address::from_text(parts.host);
  if (!address || (parts.brackets != parts.host.contains(':'))) {
    return refuse(std::format("`{}` is not an address", parts.host),
                  "write it like `127.0.0.1` or `[::1]`");
  }
  const std::uint8_t first = address->octets()[0];
  if (address->is_v4() ? first >= 224 : first == 0xff) {
    return refuse(std::format("`{}` is a multicast or reserved address", parts.host),
                  "name one host");
  }
  if (!address->is_v4() && address->is_link_local() && address->scope() == 0) {
    return refuse(std::format("`{}` is a link-local address without its interface", parts.host),
                  std::format("write `[{}%eth0]` with the interface's name", parts.host));
  }
  if (!parts.has_port) return base::Endpoint{.address = *address, .port = usual_port};
  return port_of(parts.port, least_port).transform([&address](std::uint16_t port) {
    return base::Endpoint{.address = *address, .port = port};
  });
}

std::expected<std::string, Refusal> tls_name_of(const Parts& parts,
                                                const base::Endpoint& endpoint) {
  if (!parts.row->encrypted) {
    if (!parts.has_fragment) return std::string{};
    return refuse(std::format("`{}://` has no certificate, so `#{}` cannot be verified",
                              parts.row->scheme, parts.fragment),
                  std::format("write `tls://` to encrypt, or leave `#{}` out", parts.fragment));
  }
  if (!parts.has_fragment) {
    if (parts.names_host()) return std::string{parts.host};
    if (endpoint.address.scope() == 0) return endpoint.address.to_text();
    return refuse("no certificate is made for a link-local address",
                  "write the certificate's name behind `#`");
  }
  if (const auto address = base::Address::from_text(parts.fragment);
      address && address->scope() == 0)
    return address->to_text();
  if (is_host_name(parts.fragment)) return std::string{parts.fragment};
  if (parts.fragment.empty()) {
    return refuse(
        "there is no name behind `#`",
        "write the certificate's name, or leave `#` out and the address itself is verified");
  }
  return refuse(
      std::format("`{}` is not a name that a certificate can be verified for", parts.fragment),
      "write a host name like `dns.quad9.net`");
}

std::expected<void, Refusal> refuse_scheme(std::string_view text) {
  if (!text.contains("://")) return {};
  return refuse("no scheme belongs here",
                std::format("write `{}`", text.substr(text.find("://") + 3)));
}

std::string sentence(const Refusal& refusal) {
  return refusal.suggestion.empty() ? refusal.message
                                    : std::format("{}: {}", refusal.message, refusal.suggestion);
}

}  // namespace

std::string url_without_path(std::string_view url) {
  const std::size_t authority = url.find("://");
  if (authority == std::string_view::npos) return std::string{url};
  const std::size_t path = url.find('/', authority + 3);
  const std::size_t name = url.find('#', authority + 3);
  if (path == std::string_view::npos || path > name) return std::string{url};
  std::string shown{url.substr(0, path)};
  if (name != std::string_view::npos) shown += url.substr(name);
  return shown;
}

bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > 253 || base::Address::from_text(name)) return false;
  bool last_is_number = false;
  while (true) {
    const std::string_view label = name.substr(0, name.find('.'));
    const auto letter_or_digit = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
      return false;
    if (!std::ranges::all_of(label, [&](char c) { return letter_or_digit(c) || c == '-'; }))
      return false;
    last_is_number = std::ranges::all_of(label, [](char c) { return c >= '0' && c <= '9'; });
    if (label.size() == name.size())
      return !last_is_number;  // RFC 1123 §2.1: else it could be taken for an address
    name.remove_prefix(label.size() + 1);
  }
}

std::expected<Upstream, Refusal> read_upstream_url(std::string_view url) {
  auto parts = split(url);
  if (!parts) return std::unexpected(parts.error());
  if (parts->row->protocol == Protocol::http)
    return refuse("upstreams are not asked over HTTP in the clear", "write `https://`");
  const bool http = parts->row->http;
  if (!http) {
    if (auto done = refuse_path(*parts); !done) return std::unexpected(done.error());
  }
  if (parts->host.empty())
    return refuse("there is no address", "write `tls://9.9.9.9#dns.quad9.net`, say");
  Upstream upstream;
  upstream.url = url;
  upstream.protocol = parts->row->protocol;
  if (parts->names_host()) {
    if (!is_host_name(parts->host))
      return refuse(std::format("`{}` is neither an address nor a host name", parts->host),
                    "write it like `127.0.0.1` or `[::1]`");
    upstream.host = parts->host;
    parts->host = "0.0.0.0";
  }
  const auto endpoint = endpoint_of(*parts, parts->row->port, 1);
  if (!endpoint) return std::unexpected(endpoint.error());
  if (endpoint->address.is_unspecified() && upstream.host.empty())
    return refuse(std::format("`{}` is no host", parts->host), "name the upstream's address");
  if (!upstream.host.empty()) parts->host = upstream.host;
  upstream.endpoint = *endpoint;
  auto name = tls_name_of(*parts, *endpoint);
  if (!name) return std::unexpected(name.error());
  upstream.tls_name = std::move(*name);
  if (http) {
    auto path = path_of(*parts);
    if (!path) return std::unexpected(path.error());
    upstream.path = std::move(*path);
  }
  return upstream;
}

/// By the resolvers people name most often.
std::string address_instead(const Upstream& upstream) {
  struct Known {
    std::string_view name;
    std::string_view address;
  };
  constexpr std::array<Known, 5> known{{{"dns.quad9.net", "9.9.9.9"},
                                        {"cloudflare-dns.com", "1.1.1.1"},
                                        {"one.one.one.one", "1.1.1.1"},
                                        {"dns.google", "8.8.8.8"},
                                        {"localhost", "127.0.0.1"}}};
  const ProtocolRow& protocol = row_of(upstream.protocol);
  const auto row = std::ranges::find(known, upstream.host, &Known::name);
  const std::string_view address = row == known.end() ? "192.0.2.1" : row->address;
  const std::string port =
      upstream.endpoint.port == protocol.port ? "" : std::format(":{}", upstream.endpoint.port);
  return std::format("write the address{}: `{}://{}{}{}{}`",
                     protocol.encrypted ? ", and the name behind `#`" : "", protocol.scheme,
                     address, port, upstream.path, protocol.encrypted ? "#" + upstream.host : "");
}

std::expected<ListenAddress, Refusal> read_listen_url(std::string_view url) {
  const auto parts = split(url);
  if (!parts) return std::unexpected(parts.error());
  if (auto done = refuse_path(*parts); !done) return std::unexpected(done.error());
  if (parts->has_fragment)
    return refuse("a listener takes no `#` name",
                  "its certificates bring their names; ours is `name` in [server]");
  if (parts->names_host()) {
    const std::string port = parts->has_port ? std::format(":{}", parts->port) : "";
    if (parts->host.empty() || parts->host == "*") {
      return refuse("there is no address",
                    std::format("for all addresses write `{0}://0.0.0.0{1}` and `{0}://[::]{1}`",
                                parts->row->scheme, port));
    }
    return refuse(std::format("`{}` is not an address", parts->host),
                  std::format("write an address of this machine, like `{}://127.0.0.1{}`",
                              parts->row->scheme, port));
  }
  return endpoint_of(*parts, parts->row->port, 0).transform([&](const base::Endpoint& endpoint) {
    return ListenAddress{
        .protocol = parts->row->protocol, .endpoint = endpoint, .text = std::string{url}};
  });
}

std::expected<base::Endpoint, Refusal> read_proxy_url(std::string_view url) {
  constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme))
    return refuse(std::format("`{}` is no proxy that we can speak to", url),
                  "HTTP proxies are written like `http://192.0.2.1:3128`");
  Parts parts;
  std::string_view rest = url.substr(scheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.contains('@'))
    return refuse("a password does not belong into this file",
                  "write it into one of its own, and name that in `proxy_login_file`");
  if (auto done = split_host(rest, parts); !done) return std::unexpected(done.error());
  auto endpoint = endpoint_of(parts, 3128, 1);
  if (endpoint && endpoint->address.is_unspecified())
    return refuse(std::format("`{}` is no host", parts.host), "name the proxy's address");
  return endpoint;
}

std::expected<base::Endpoint, Refusal> read_resolver(std::string_view text) {
  Parts parts;
  const auto address = base::Address::from_text(text);  // IPv6 needs no brackets without a port
  const std::string bracketed = address && !address->is_v4() ? std::format("[{}]", text) : "";
  if (auto done = refuse_scheme(text); !done) return std::unexpected(done.error());
  if (auto done = split_host(bracketed.empty() ? text : bracketed, parts); !done)
    return std::unexpected(done.error());
  auto endpoint = endpoint_of(parts, 53, 1);
  if (endpoint && endpoint->address.is_unspecified())
    return refuse(std::format("`{}` is no host", parts.host), "name a resolver's address");
  return endpoint;
}

std::expected<base::Endpoint, Refusal> read_endpoint(std::string_view text) {
  Parts parts;
  if (auto done = refuse_scheme(text); !done) return std::unexpected(done.error());
  if (auto done = split_host(text, parts); !done) return std::unexpected(done.error());
  if (!parts.has_port)
    return refuse(std::format("`{}` has no port", text), std::format("write `{}:8953`", text));
  return endpoint_of(parts, 0, 0);
}

std::expected<Upstream, std::string> parse_upstream_url(
    std::string_view url, const std::vector<base::Address>& bootstrap) {
  auto upstream = read_upstream_url(url).transform_error(sentence);
  if (!upstream || upstream->host.empty()) return upstream;
  if (bootstrap.empty())
    return std::unexpected(
        std::format("`{}` is a host name, and a resolver cannot look its own upstream up: {}",
                    upstream->host, address_instead(*upstream)));
  upstream->bootstrap = bootstrap;
  upstream->endpoint.address = bootstrap.front();
  return upstream;
}

std::expected<ListenAddress, std::string> parse_listen_url(std::string_view url) {
  return read_listen_url(url).transform_error(sentence);
}

}  // namespace conf
