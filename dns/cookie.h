// DNS cookies of both sides. RFC 7873; RFC 9018 (SipHash-2-4, version 1). No clock and no random
// source in here: the caller hands in both.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/bytes.h"

namespace dns {

inline constexpr std::size_t client_cookie_size = 8;
inline constexpr std::size_t server_cookie_size = 16;  // version 1's; others may have 8 to 32

using ClientCookie = std::array<std::uint8_t, client_cookie_size>;
using ServerCookie = std::array<std::uint8_t, server_cookie_size>;
using CookieSecret = std::array<std::uint8_t, 16>;

/// SipHash-2-4 with the 64-bit result in the octet order of its reference (little-endian).
std::uint64_t siphash_2_4(const CookieSecret& secret, base::Bytes input);

/// Makes and checks the cookies that we give to clients. Immutable; all workers share one.
class ServerCookies {
 public:
  enum class Check : std::uint8_t {
    absent,  ///< no server cookie: the client has none yet
    good,
    renew,  ///< good, and older than half an hour: send a new one (RFC 9018 §4.3)
    bad,    ///< forged, too old, from the future, or of a version we do not know
  };

  /// `previous` is still accepted, never made (RFC 9018 §5).
  explicit ServerCookies(const CookieSecret& secret,
                         std::optional<CookieSecret> previous = std::nullopt)
      : secret_(secret), previous_(previous) {}

  /// `client_cookie` is the 8 octets the client sent; `now` seconds since 1970, wrapping (RFC 9018
  /// §4.3).
  [[nodiscard]] ServerCookie make(base::Bytes client_cookie, const base::Address& client,
                                  std::uint32_t now) const;

  /// `cookie` is the whole COOKIE option: the client's 8 octets, then the server's.
  [[nodiscard]] Check check(base::Bytes cookie, const base::Address& client,
                            std::uint32_t now) const;

 private:
  CookieSecret secret_;
  std::optional<CookieSecret> previous_;
};

/// Our side of the cookies with one upstream address. Owned by that upstream's links; one thread. A
/// new one is made, with fresh entropy, when our own address changes (RFC 9018 §3).
class UpstreamCookies {
 public:
  enum class Reply : std::uint8_t {
    learned,  ///< our client cookie came back with a server cookie
    without,  ///< no cookie, though the upstream never sent one before: it does not know them
    discard,  ///< the reply is not the upstream's: illegal length, another client cookie, or none
              ///< where there used to be one
  };

  /// `client_cookie`: 64 bits of entropy, for this upstream address alone (RFC 9018 §3).
  explicit UpstreamCookies(const ClientCookie& client_cookie);

  /// For OutgoingOptions::cookie: client cookie, and the server's as soon as it is known. Valid
  /// until the next call of a member that changes it.
  [[nodiscard]] base::Bytes outgoing() const { return base::Bytes{octets_}.first(size_); }

  /// `cookie`: the first COOKIE option of a reply over UDP, nothing when it had none (RFC 7873
  /// §5.3).
  Reply take(std::optional<base::Bytes> cookie);

 private:
  std::array<std::uint8_t, 40> octets_{};
  std::size_t size_ = client_cookie_size;
};

}  // namespace dns
