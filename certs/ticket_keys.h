// The keys under which session tickets are sealed: one set for the process, turned over as time
// passes, so that a ticket resumes on any worker and an old key opens nothing for long. RFC 5077 §4
// (form), RFC 8446 §4.6.1 (seven days), RFC 9325 §3.4.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "certs/openssl.h"

namespace certs {

/// Owned by the certificate store and by every context that uses it. Thread-safe: a handshake
/// copies a key out.
class TicketKeys {
 public:
  using Now = std::function<base::TimePoint()>;

  /// A key seals for `rotation` and opens for twice as long. Throws when there is no randomness.
  explicit TicketKeys(std::chrono::seconds rotation, Now now = &base::Clock::now);

  [[nodiscard]] std::chrono::seconds rotation() const { return rotation_; }

  /// OpenSSL's ticket callback (SSL_CTX_set_tlsext_ticket_key_evp_cb): seals with the current key;
  /// opens with the current or the previous one and has the ticket replaced; 0 for any other
  /// ticket, which makes a full handshake.
  int seal_or_open(SSL& ssl, unsigned char* key_name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                   EVP_MAC_CTX* mac, bool seal) const;

 private:
  struct Key {
    std::array<std::uint8_t, 16> name{};
    std::array<std::uint8_t, 32> cipher_key{};
    std::array<std::uint8_t, 32> mac_key{};
    base::TimePoint created{};

    static Key make(base::TimePoint now);
    ~Key();
    Key() = default;
    Key(const Key&) = default;
    Key& operator=(const Key&) = default;
  };
  struct Keys {
    Key current;
    Key previous;  // all zero, and never asked for, before the first rotation
    bool has_previous = false;
  };

  Keys keys_now() const;

  std::chrono::seconds rotation_;
  Now now_;
  std::unique_ptr<EVP_CIPHER, OpensslDelete<&EVP_CIPHER_free>>
      cipher_;  // fetched once: a fetch per ticket is slow
  mutable std::mutex mutex_;
  mutable Keys keys_;  // rotated at use: no timer, and no ticket is sealed with a key past its time
};

}  // namespace certs
