// The header by which a load balancer says on whose behalf it connects, versions 1 and 2 of
// HAProxy's PROXY protocol. It comes in any pieces, is judged octet by octet, and is never read
// beyond its end. Owned by a session until it has begun.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/bytes.h"

namespace transports {

class ProxyHeader {
 public:
  /// Octets of a version 2 header behind its first 16: addresses and what else balancers tell (of
  /// their TLS, say). Those we know send less than 1,024.
  static constexpr std::size_t rest_size_max = 4096;

  enum class State : std::uint8_t { more, complete, invalid };

  /// Takes what belongs to the header from the front of `octets`, and gives how many that were.
  /// What is behind them is the client's.
  std::size_t take(base::Bytes octets);

  [[nodiscard]] State state() const { return state_; }
  /// Once complete: who connected to the balancer; nothing when it speaks for itself (a health
  /// check) or cannot tell. Then the connection's own address counts.
  [[nodiscard]] const std::optional<base::Endpoint>& client() const { return client_; }

 private:
  void step(std::uint8_t octet);
  void step_line(std::uint8_t octet);
  void step_binary(std::uint8_t octet);
  void step_extension(std::uint8_t octet);
  void begin_rest();
  void finish_line();
  void finish_binary();
  void add_to_checksum(std::uint8_t octet);
  [[nodiscard]] std::optional<base::Endpoint> binary_client() const;

  static constexpr std::size_t line_size_max = 107;  // §2.1, CRLF included

  std::array<std::uint8_t, line_size_max>
      kept_;                          // the line, or version 2 as far as its addresses go
  std::uint16_t size_ = 0;            // octets so far
  std::uint16_t whole_ = 16;          // version 2: of the header
  std::uint16_t addresses_end_ = 16;  // version 2: where extensions begin
  State state_ = State::more;
  std::optional<base::Endpoint> client_;

  // Of a version 2 header's extensions (§2.2, "TLV"):
  std::array<std::uint8_t, 3> extension_{};  // type and length of the one at hand
  std::uint16_t extension_size_ = 0;         // octets of it so far
  std::uint32_t checksum_ = 0xffffffff;      // CRC-32C so far
  std::uint32_t checksum_told_ = 0;
  bool has_checksum_ = false;
};

}  // namespace transports
