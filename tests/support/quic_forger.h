// A QUIC client in memory, without a socket: it shakes hands as any, and says under its keys what
// no library would. RFC 9000, RFC 9001. Owned by a test; one thread.
#pragma once

#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_ossl.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "certs/openssl.h"
#include "transports/quic/library.h"

namespace test {

using Octets = std::vector<std::uint8_t>;

class QuicForger {
 public:
  enum class Level : std::uint8_t { initial, handshake, application };
  static constexpr std::size_t levels = 3;

  /// `alpn` as on the wire. The path is what the client takes for its own, whatever becomes of its
  /// datagrams.
  QuicForger(SSL_CTX& context, std::string_view alpn, const transports::quic::Path& path);
  ~QuicForger();
  QuicForger(const QuicForger&) = delete;
  QuicForger& operator=(const QuicForger&) = delete;

  // ---- as an honest client
  void read(base::Bytes datagram);
  /// Datagrams that want to leave; none once it found something wrong.
  std::vector<Octets> write();
  [[nodiscard]] bool is_open() const {
    return ngtcp2_conn_get_handshake_completed(library_) != 0 && can_seal(Level::application);
  }

  // ---- as a forger

  struct How {
    bool repeat_number = false;  ///< that of the last packet again
    bool key_phase = false;      ///< the bit of the next keys (RFC 9001 §6), which these are not
  };
  [[nodiscard]] bool can_seal(Level level) const { return out_[index(level)].known; }
  /// A packet with these octets as its frames, sealed as the server expects it.
  Octets seal(Level level, base::Bytes frames, How how);
  /// A packet of one round trip that the server sent: what was in it. Nothing: it is none.
  std::optional<Octets> open(base::Bytes datagram);
  /// Acknowledges all that was opened; empty: nothing was.
  [[nodiscard]] Octets acknowledgement() const;
  /// The id that packets to the server bear.
  [[nodiscard]] ngtcp2_cid destination() const;

 private:
  friend struct ForgerHooks;

  /// What a direction of a level is protected with.
  struct Keys {
    bool known = false;
    ngtcp2_crypto_aead aead{};
    ngtcp2_crypto_aead_ctx sealing{};
    ngtcp2_crypto_cipher cipher{};
    ngtcp2_crypto_cipher_ctx masking{};
    std::array<std::uint8_t, 12> iv{};
  };

  static std::size_t index(Level level) { return static_cast<std::size_t>(level); }
  static std::array<std::uint8_t, 12> nonce_of(const Keys& keys, std::uint64_t number);
  std::uint64_t whole_number(std::uint64_t truncated, std::size_t octets) const;

  ngtcp2_conn* library_ = nullptr;
  certs::SslPtr tls_;
  ngtcp2_crypto_ossl_ctx* glue_ = nullptr;
  ngtcp2_crypto_conn_ref self_{};
  transports::quic::Path path_;
  ngtcp2_cid own_{};
  bool broken_ = false;

  std::array<Keys, levels> out_;
  Keys in_;  // of the server's packets of one round trip
  // Far behind those that the honest client counts.
  std::array<std::uint64_t, levels> numbers_{1000, 1000, 1000};
  std::vector<std::uint64_t> opened_;  // numbers, sorted

  // for the hooks
  Keys* masked_ = nullptr;
  ngtcp2_crypto_cipher cipher_read_{};
  ngtcp2_crypto_cipher_ctx masking_read_{};
  bool reading_ = false;
  std::vector<ngtcp2_crypto_aead_ctx> sealing_kept_;  // the library is done with them, we are not
  std::vector<ngtcp2_crypto_cipher_ctx> masking_kept_;
};

}  // namespace test
