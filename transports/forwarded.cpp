// X-Forwarded-For and Forwarded.
#include "transports/forwarded.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "transports/http_message.h"

namespace transports {

namespace {

/// Up to the next `separator` outside quotation marks, which is taken, too (RFC 9110 §5.6.4).
std::string_view next_part(std::string_view& rest, char separator) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < rest.size(); ++end) {
    if (rest[end] == '"') quoted = !quoted;
    if (quoted && rest[end] == '\\') {
      ++end;
    } else if (!quoted && rest[end] == separator) {
      break;
    }
  }
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  return part;
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4711".
std::optional<base::Address> read_node(std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    port = text.substr(end + 1);
    text = text.substr(1, end - 1);
    if (!text.contains(':')) return std::nullopt;
  } else if (std::ranges::count(text, ':') == 1) {
    port = text.substr(text.find(':'));
    text = text.substr(0, text.find(':'));
  }
  if (!port.empty() && (port.front() != ':' || !is_port(port.substr(1)))) return std::nullopt;
  if (text.contains('%')) return std::nullopt;  // a zone of another machine's
  return base::Address::from_text(text);
}

/// The `for` of one hop (RFC 7239 §4); no text in quotation marks that needs escapes is an address.
std::optional<base::Address> read_element(std::string_view element) {
  std::optional<base::Address> found;
  bool seen = false;
  while (!element.empty()) {
    const std::string_view pair = trimmed(next_part(element, ';'));
    const std::size_t mark = pair.find('=');
    if (mark == std::string_view::npos || !equal_ignoring_case(pair.substr(0, mark), "for"))
      continue;
    if (seen) return std::nullopt;  // at most once; which one is meant?
    seen = true;
    std::string_view node = pair.substr(mark + 1);
    if (node.size() >= 2 && node.starts_with('"') && node.ends_with('"'))
      node = node.substr(1, node.size() - 2);
    found = read_node(node);
  }
  return found;
}

}  // namespace

void ForwardedFor::take(Field field, std::string_view value) {
  while (!value.empty()) {
    const std::string_view element = trimmed(next_part(value, ','));
    if (element.empty()) continue;  // RFC 9110 §5.6.1.2
    hop(field == Field::forwarded ? read_element(element) : read_node(element));
  }
}

void ForwardedFor::hop(const std::optional<base::Address>& address) {
  const bool ours = address && std::ranges::any_of(*proxies_, [&address](const base::Prefix& each) {
                      return each.contains(*address);
                    });
  // Proxies of ours stand between the client and us; only when there is nobody else is the farthest
  // of them the client.
  if (ours && client_) return;
  client_ = address;
}

}  // namespace transports
