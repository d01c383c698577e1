// The kinds of values that are addresses, names and pins, and lists of them.
#include <algorithm>
#include <array>
#include <format>

#include "conf/kinds.h"
#include "conf/urls.h"

namespace conf {
namespace {

/// Reads each item by `read_item`, and complains about a list that is none or has nothing in it.
template <class T>
std::optional<std::vector<T>> read_list(const Node& node, std::string_view like, bool may_be_empty,
                                        Reading& reading, auto read_item) {
  if (node.kind != Node::Kind::list) {
    reading.complain(node.place, std::format("a list is wanted here, not {}", to_text(node.kind)),
                     node.kind == Node::Kind::text
                         ? std::format("write `[{}]`", toml_string(node.text))
                         : std::format("write it like `[{}]`", like));
    return std::nullopt;
  }
  if (node.items.empty() && !may_be_empty) {
    reading.complain(
        node.place, "this list is empty",
        std::format("write it like `[{}]`, or leave the key out for what is usual", like));
    return std::nullopt;
  }
  std::vector<T> values;
  bool whole = true;
  for (const Node& item : node.items) {
    const auto text = read_text(item, like, reading);
    auto value = text ? read_item(item, *text) : std::nullopt;
    whole = whole && value;
    if (value) values.push_back(std::move(*value));
  }
  return whole ? std::optional{std::move(values)} : std::nullopt;
}

template <class T>
std::optional<T> or_complain(std::expected<T, Refusal> value, const Node& node, Reading& reading) {
  if (value) return std::move(*value);
  reading.complain(node.place, std::move(value.error()));
  return std::nullopt;
}

template <class T>
std::string print_list(const std::vector<T>& values, auto print) {
  std::string out;
  for (const T& value : values)
    out += std::format("{}{}", out.empty() ? "" : ", ", toml_string(print(value)));
  return '[' + out + ']';
}

/// Which sockets two listeners would fight for: TCP and TLS share the ports of TCP, DoQ those of
/// UDP.
bool same_socket(const ListenAddress& one, const ListenAddress& other) {
  return one.endpoint.port != 0 && one.endpoint == other.endpoint &&
         row_of(one.protocol).socket == row_of(other.protocol).socket;
}

std::expected<base::Prefix, Refusal> read_prefix(const std::string& text) {
  if (const auto prefix = base::Prefix::from_text(text)) return *prefix;
  const auto address = base::Address::from_text(text.substr(0, text.find('/')));
  if (address && text.contains('/')) {
    for (unsigned length = 0; length <= 128; ++length) {
      if (text.substr(text.find('/') + 1) != std::to_string(length)) continue;
      const auto meant = base::Prefix::covering(*address, static_cast<std::uint8_t>(length));
      if (meant.length() != length) break;
      return std::unexpected(Refusal{std::format("`{}` has bits set behind its length", text),
                                     std::format("did you mean `\"{}\"`?", meant.to_text())});
    }
  }
  return std::unexpected(
      Refusal{std::format("`{}` is not a range of addresses", text),
              "write it like `\"192.168.0.0/16\"`, `\"fd00::/8\"`, or one address"});
}

Kind<std::vector<base::Prefix>> prefixes_of(bool may_be_empty, std::string accepts) {
  return {
      .read =
          [may_be_empty](const Node& node, Reading& reading) {
            return read_list<base::Prefix>(node, "\"192.168.0.0/16\"", may_be_empty, reading,
                                           [&](const Node& item, const std::string& text) {
                                             return or_complain(read_prefix(text), item, reading);
                                           });
          },
      .print =
          [](const std::vector<base::Prefix>& values) {
            return print_list(values, [](const base::Prefix& value) { return value.to_text(); });
          },
      .accepts = std::move(accepts)};
}

/// Of a web page, as browsers write it: RFC 6454 §6.2.
std::expected<std::string, Refusal> read_origin(const std::string& text) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789-.:[]";
  const std::size_t host = text.starts_with("https://")  ? 8
                           : text.starts_with("http://") ? 7
                                                         : std::string::npos;
  const bool sound = host != std::string::npos && text.size() > host &&
                     text.find_first_not_of(letters, host) == std::string::npos;
  if (text == "*" || sound) return text;
  return std::unexpected(Refusal{std::format("`{}` is not the origin of a page", text),
                                 "write it like `\"https://www.example.org\"`: in lower case, "
                                 "with the port if it is not the usual one, without a path"});
}

/// Balancers do not put headers in front of QUIC's datagrams.
bool may_be_balanced(const ProtocolRow& row) {
  return row.socket == Socket::tcp || row.protocol == Protocol::udp;
}

std::string balanced_schemes_text() {
  std::string out;
  for (const ProtocolRow& row : protocols) {
    if (may_be_balanced(row)) out += std::format("{}{}", out.empty() ? "" : ", ", row.scheme);
  }
  return out;
}

std::expected<Protocol, Refusal> read_balanced_scheme(std::string_view text) {
  const auto protocol = protocol_from_scheme(text);
  if (protocol && may_be_balanced(row_of(*protocol))) return *protocol;
  return std::unexpected(Refusal{std::format("`{}` is no transport that balancers pass on", text),
                                 std::format("there are {}", balanced_schemes_text())});
}

constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// 32 octets in base64 (RFC 4648 §4): 43 digits, the last of which has two bits to spare, and one
/// "=".
bool is_sha256_in_base64(std::string_view text) {
  return text.size() == 44 && text.back() == '=' &&
         text.substr(0, 43).find_first_not_of(base64_digits) == std::string_view::npos &&
         base64_digits.find(text[42]) % 4 == 0;  // RFC 4648 §3.5: pad bits are zero
}

std::expected<std::string, Refusal> read_pin(std::string_view text) {
  std::string_view digits = text;
  for (const std::string_view prefix : {"sha256/", "sha256//"}) {
    if (text.starts_with(prefix)) digits = text.substr(prefix.size());
  }
  if (is_sha256_in_base64(digits)) return std::string{digits};
  const bool hexadecimal = std::ranges::count_if(digits, [](char c) {
                             return std::string_view{"0123456789abcdefABCDEF"}.contains(c);
                           }) == 64;
  return std::unexpected(Refusal{
      std::format("`{}` is not a pin", text),
      hexadecimal
          ? "this is hexadecimal: write the SHA-256 of the public key in base64"
          : "the SHA-256 of the certificate's public key in base64: 43 characters and `=`"});
}

constexpr std::size_t path_size_most = 255;

std::expected<std::string, Refusal> read_url_path(const std::string& text) {
  if (const std::size_t end = text.find_first_of("{?#"); end != std::string::npos) {
    return std::unexpected(Refusal{std::format("`{}` is more than a path", text),
                                   std::format("write `\"{}\"`", text.substr(0, end))});
  }
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/";
  if (!text.starts_with('/') || text.find_first_not_of(letters) != std::string::npos ||
      text.size() > path_size_most) {
    return std::unexpected(Refusal{std::format("`{}` is not the path of a URL", text),
                                   "write it like `\"/dns-query\"`"});
  }
  return text;
}

}  // namespace

Kind<std::string> url_path_or_off() {
  return {.read = [](const Node& node, Reading& reading) -> std::optional<std::string> {
            const auto text = read_text(node, "\"/resolve\"", reading);
            if (!text || text->empty()) return text;
            return or_complain(read_url_path(*text), node, reading);
          },
          .print = [](const std::string& value) { return toml_string(value); },
          .accepts = "a path that begins with `/`, or \"\" for off"};
}

Kind<std::vector<std::string>> origins() {
  return {.read =
              [](const Node& node, Reading& reading) {
                return read_list<std::string>(
                    node, "\"https://www.example.org\"", true, reading,
                    [&reading](const Node& item, const std::string& text) {
                      return or_complain(read_origin(text), item, reading);
                    });
              },
          .print =
              [](const std::vector<std::string>& values) {
                return print_list(values, [](const std::string& value) { return value; });
              },
          .accepts = "https:// and a host, or \"*\" for every page"};
}

Kind<std::vector<std::string>> url_paths() {
  return {.read =
              [](const Node& node, Reading& reading) {
                return read_list<std::string>(
                    node, "\"/dns-query\"", false, reading,
                    [&reading](const Node& item, const std::string& text) {
                      return or_complain(read_url_path(text), item, reading);
                    });
              },
          .print =
              [](const std::vector<std::string>& values) {
                return print_list(values, [](const std::string& value) { return value; });
              },
          .accepts = "paths that begin with `/`"};
}

Kind<std::vector<ListenAddress>> listen_addresses() {
  return {.read =
              [](const Node& node, Reading& reading) {
                std::vector<std::pair<ListenAddress, std::uint32_t>> before;
                return read_list<ListenAddress>(
                    node, "\"udp://127.0.0.1:53\"", false, reading,
                    [&](const Node& item, const std::string& text) {
                      auto address = or_complain(read_listen_url(text), item, reading);
                      if (!address) return address;
                      const auto taken =
                          std::ranges::find_if(before, [&address](const auto& other) {
                            return same_socket(other.first, *address);
                          });
                      if (taken != before.end()) {
                        reading.complain(item.place,
                                         std::format("`{}` is taken by `{}` on line {}", text,
                                                     taken->first.text, taken->second),
                                         "keep one of the two, or give it another port");
                        return std::optional<ListenAddress>{};
                      }
                      before.emplace_back(*address, item.place.line);
                      return address;
                    });
              },
          .print =
              [](const std::vector<ListenAddress>& values) {
                return print_list(values, [](const ListenAddress& value) { return value.text; });
              },
          .accepts =
              "udp://, tcp://, tls://, quic://, https://, h3:// or http://, an address, and a port "
              "if not "
              "the usual one"};
}

Kind<std::optional<base::Endpoint>> endpoint_or_off() {
  using Value = std::optional<base::Endpoint>;
  return {.read = [](const Node& node, Reading& reading) -> std::optional<Value> {
            const auto text = read_text(node, "\"127.0.0.1:8953\"", reading);
            if (!text) return std::nullopt;
            if (text->empty()) return Value{};
            const auto endpoint = or_complain(read_endpoint(*text), node, reading);
            return endpoint ? std::optional<Value>{endpoint} : std::nullopt;
          },
          .print = [](const Value& value) { return toml_string(value ? value->to_text() : ""); },
          .accepts = "an address and a port, or \"\" for off"};
}

Kind<std::optional<base::Endpoint>> http_proxy() {
  using Value = std::optional<base::Endpoint>;
  return {
      .read = [](const Node& node, Reading& reading) -> std::optional<Value> {
        const auto text = read_text(node, "\"http://192.0.2.1:3128\"", reading);
        if (!text) return std::nullopt;
        if (text->empty()) return Value{};
        const auto endpoint = or_complain(read_proxy_url(*text), node, reading);
        return endpoint ? std::optional<Value>{endpoint} : std::nullopt;
      },
      .print =
          [](const Value& value) { return toml_string(value ? "http://" + value->to_text() : ""); },
      .accepts = "http://, an address and a port, or \"\" for none"};
}

Kind<std::vector<base::Address>> addresses() {
  return {.read =
              [](const Node& node, Reading& reading) {
                return read_list<base::Address>(
                    node, "\"192.0.2.1\"", true, reading,
                    [&](const Node& item, const std::string& text) {
                      const auto address = base::Address::from_text(text);
                      if (address && !address->is_unspecified()) return address;
                      reading.complain(item.place,
                                       std::format("`{}` is not an address of a host", text),
                                       "write it like `\"192.0.2.1\"` or `\"2001:db8::1\"`");
                      return std::optional<base::Address>{};
                    });
              },
          .print =
              [](const std::vector<base::Address>& values) {
                return print_list(values, [](const base::Address& each) { return each.to_text(); });
              },
          .accepts = "addresses"};
}

Kind<std::vector<base::Endpoint>> resolvers() {
  return {.read =
              [](const Node& node, Reading& reading) {
                return read_list<base::Endpoint>(
                    node, "\"192.0.2.53\"", true, reading,
                    [&reading](const Node& item, const std::string& text) {
                      return or_complain(read_resolver(text), item, reading);
                    });
              },
          .print =
              [](const std::vector<base::Endpoint>& values) {
                return print_list(values,
                                  [](const base::Endpoint& each) { return each.to_text(); });
              },
          .accepts = "addresses, each with its port if that is not 53"};
}

Kind<std::vector<base::Prefix>> prefixes() {
  return prefixes_of(false, "ranges of addresses; everybody is \"0.0.0.0/0\" and \"::/0\"");
}

Kind<std::vector<base::Prefix>> prefixes_or_none() {
  return prefixes_of(true, "addresses and ranges of addresses");
}

Kind<std::vector<Protocol>> balanced_schemes() {
  return {.read =
              [](const Node& node, Reading& reading) {
                return read_list<Protocol>(node, "\"tls\"", false, reading,
                                           [&](const Node& item, const std::string& text) {
                                             return or_complain(read_balanced_scheme(text), item,
                                                                reading);
                                           });
              },
          .print =
              [](const std::vector<Protocol>& values) {
                return print_list(values, [](Protocol value) { return row_of(value).scheme; });
              },
          .accepts = balanced_schemes_text()};
}

namespace {

std::optional<dns::Name> read_name(const Node& node, const std::string& text, Reading& reading) {
  const auto name = dns::Name::from_text(text);
  if (!name)
    reading.complain(node.place, std::format("`{}` is not a domain name", text),
                     "labels of at most 63 octets between dots, 253 in all");
  return name;
}

}  // namespace

Kind<dns::Name> domain_name() {
  return {.read = [](const Node& node, Reading& reading) -> std::optional<dns::Name> {
            const auto text = read_text(node, "\"example.org.\"", reading);
            return text ? read_name(node, *text, reading) : std::nullopt;
          },
          .print = [](const dns::Name& value) { return toml_string(value.to_text()); },
          .accepts = "a domain name"};
}

Kind<std::vector<dns::Name>> names() {
  return {.read =
              [](const Node& node, Reading& reading) {
                return read_list<dns::Name>(node, "\"test.\"", true, reading,
                                            [&](const Node& item, const std::string& text) {
                                              return read_name(item, text, reading);
                                            });
              },
          .print =
              [](const std::vector<dns::Name>& values) {
                return print_list(values, [](const dns::Name& value) { return value.to_text(); });
              },
          .accepts = "domain names"};
}

Kind<std::vector<std::string>> pins() {
  return {.read =
              [](const Node& node, Reading& reading) {
                return read_list<std::string>(node, "\"sha256/…=\"", true, reading,
                                              [&](const Node& item, const std::string& text) {
                                                return or_complain(read_pin(text), item, reading);
                                              });
              },
          .print =
              [](const std::vector<std::string>& values) {
                return print_list(values, [](const std::string& value) { return value; });
              },
          .accepts = "SHA-256 of public keys in base64, with or without \"sha256/\""};
}

}  // namespace conf
