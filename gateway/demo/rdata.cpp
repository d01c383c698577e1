// Rdata from literals, name by name and number by number.
#include "gateway/demo/rdata.h"

#include <algorithm>
#include <format>
#include <stdexcept>

#include "base/address.h"
#include "base/bytes.h"
#include "dns/name.h"

namespace gateway::demo {
namespace {

constexpr std::size_t string_size_max = 255;  // RFC 1035 §3.3

void append(Rdata& out, base::Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

void append_u16(Rdata& out, std::size_t value) {
  std::uint8_t octets[2];
  base::store_u16(octets, static_cast<std::uint16_t>(value));
  append(out, octets);
}

void append_u32(Rdata& out, std::uint32_t value) {
  std::uint8_t octets[4];
  base::store_u32(octets, value);
  append(out, octets);
}

void append_name(Rdata& out, std::string_view name) {
  const auto parsed = dns::Name::from_text(name);
  if (!parsed) throw std::invalid_argument(std::format("`{}` is not a name", name));
  append(out, parsed->view().wire());
}

void append_string(Rdata& out, std::string_view string) {
  if (string.size() > string_size_max)
    throw std::invalid_argument("a string has more than 255 octets");
  out.push_back(static_cast<std::uint8_t>(string.size()));
  append(out, base::as_bytes(string));
}

}  // namespace

Rdata address(std::string_view text) {
  const auto parsed = base::Address::from_text(text);
  if (!parsed) throw std::invalid_argument(std::format("`{}` is not an address", text));
  return {parsed->octets().begin(), parsed->octets().begin() + (parsed->is_v4() ? 4 : 16)};
}

Rdata target(std::string_view name) {
  Rdata out;
  append_name(out, name);
  return out;
}

Rdata mail(std::uint16_t preference, std::string_view exchange) {
  Rdata out;
  append_u16(out, preference);
  append_name(out, exchange);
  return out;
}

Rdata text(std::initializer_list<std::string> strings) {
  Rdata out;
  for (const std::string& string : strings) append_string(out, string);
  return out;
}

Rdata long_text(std::size_t octets) {
  Rdata out;
  while (out.size() < octets) {
    std::string string =
        std::format("string {} of a long text ", out.size() / (string_size_max + 1));
    string.resize(std::min(string_size_max, octets - out.size()), '.');
    append_string(out, string);
  }
  return out;
}

Rdata service(std::uint16_t priority, std::uint16_t weight, std::uint16_t port,
              std::string_view host) {
  Rdata out;
  append_u16(out, priority);
  append_u16(out, weight);
  append_u16(out, port);
  append_name(out, host);
  return out;
}

Rdata start_of_authority(std::string_view server, std::string_view mailbox,
                         std::uint32_t negative_ttl) {
  Rdata out;
  append_name(out, server);
  append_name(out, mailbox);
  // serial, refresh, retry, expire, minimum (RFC 1035 §3.3.13, RFC 2308 §4)
  for (const std::uint32_t value : {1U, 3600U, 600U, 86'400U, negative_ttl}) append_u32(out, value);
  return out;
}

Rdata service_binding(std::uint16_t priority, std::initializer_list<std::string_view> alpn,
                      std::string_view ipv4hint) {
  Rdata protocols;
  for (const std::string_view protocol : alpn) append_string(protocols, protocol);
  Rdata out;
  append_u16(out, priority);
  append_name(out, ".");
  append_u16(out, 1);  // alpn
  append_u16(out, protocols.size());
  append(out, protocols);
  const Rdata hint = address(ipv4hint);
  append_u16(out, 4);  // ipv4hint
  append_u16(out, hint.size());
  append(out, hint);
  return out;
}

}  // namespace gateway::demo
