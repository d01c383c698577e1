// What proves a client's address without memory of it (Retry and NEW_TOKEN tokens), and what ends a
// connection that nobody remembers (stateless reset tokens). RFC 9000 §8.1.2-8.1.4, §10.3.2. One
// set for the process: any worker checks what another gave. Thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "transports/quic/library.h"

namespace transports::quic {

class Secrets {
 public:
  /// Throws when there is no randomness.
  Secrets();
  ~Secrets();
  Secrets(const Secrets&) = delete;
  Secrets& operator=(const Secrets&) = delete;

  /// Long enough for a slow client's second Initial, short for whoever records one.
  static constexpr std::chrono::seconds retry_lifetime{10};
  static constexpr std::chrono::hours address_lifetime{24};
  static constexpr std::size_t token_size_max = 256;

  struct Token {
    std::array<std::uint8_t, token_size_max> octets;
    std::size_t size = 0;  ///< 0: none could be made
    [[nodiscard]] base::Bytes view() const { return {octets.data(), size}; }
  };

  /// For a Retry packet whose source id is `retry_id`, in answer to an Initial to `original`.
  [[nodiscard]] Token retry_token(std::uint32_t version, const Path& path,
                                  const ngtcp2_cid& retry_id, const ngtcp2_cid& original) const;
  /// For NEW_TOKEN: this address was validated.
  [[nodiscard]] Token address_token(const ngtcp2_addr& remote) const;

  enum class Verdict : std::uint8_t {
    none,     ///< no token, or one that says nothing: the address is not validated
    address,  ///< of NEW_TOKEN
    retry,    ///< of our Retry; `original` is set
    bad,      ///< of a Retry, but forged, too old, or of another address: RFC 9000 §8.1.3
  };
  /// What the token of an Initial proves.
  Verdict check(const ngtcp2_pkt_hd& initial, const Path& path, ngtcp2_cid& original) const;

  /// The same for the same id, and nobody else's guess.
  void reset_token(const ngtcp2_cid& id, std::uint8_t* token) const;

 private:
  std::array<std::uint8_t, 32> tokens_;
  std::array<std::uint8_t, 16> resets_;
};

}  // namespace transports::quic
