// The one table of transports: the names that configuration, logs, metrics and command lines use. A
// new transport begins with its row here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace conf {

enum class Protocol : std::uint8_t { udp, tcp, dot, doq, doh, doh3, http };

/// Whose ports a transport uses.
enum class Socket : std::uint8_t { udp, tcp };

struct ProtocolRow {
  Protocol protocol;
  std::string_view scheme;  ///< in URLs: "tls://192.0.2.1"
  std::string_view name;    ///< in logs and metrics
  std::uint16_t port;       ///< when the URL names none
  bool encrypted;
  bool stream;  ///< the answer's size is bounded by 65,535 octets alone
  Socket socket;
  bool http = false;  ///< a path is asked, with a method
};

inline constexpr std::array<ProtocolRow, 7> protocols{{
    {Protocol::udp, "udp", "udp", 53, false, false, Socket::udp},
    {Protocol::tcp, "tcp", "tcp", 53, false, true, Socket::tcp},
    {Protocol::dot, "tls", "dot", 853, true, true, Socket::tcp},
    {Protocol::doq, "quic", "doq", 853, true, true, Socket::udp},
    {Protocol::doh, "https", "doh", 443, true, true, Socket::tcp, true},
    {Protocol::doh3, "h3", "doh3", 443, true, true, Socket::udp, true},
    {Protocol::http, "http", "http", 80, false, true, Socket::tcp, true},  // behind a reverse proxy
}};

constexpr const ProtocolRow& row_of(Protocol protocol) {
  return protocols[static_cast<std::size_t>(protocol)];
}

constexpr std::optional<Protocol> protocol_from_scheme(std::string_view scheme) {
  for (const ProtocolRow& row : protocols) {
    if (row.scheme == scheme) return row.protocol;
  }
  return std::nullopt;
}

}  // namespace conf
