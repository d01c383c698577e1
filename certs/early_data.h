// Early data (0-RTT) over QUIC: what a client sends with its first flight, under a session that it
// resumes, and what both sides keep with the session for that. RFC 8446 §2.3, §8; RFC 9001 §4.6.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace certs {

/// Decides over the early data of one client. Outlives its session.
class EarlyGate {
 public:
  static constexpr std::size_t mark_max = 64;

  /// Writes what the session's next ticket shall carry, and gives its size, `mark_max` at most.
  virtual std::size_t mark(std::uint8_t* out) = 0;
  /// Early data came with a ticket of that mark. False: it is rejected, the handshake goes on.
  virtual bool admits(base::Bytes mark) = 0;

 protected:
  ~EarlyGate() = default;
};

/// For a server's session over QUIC that has not begun: early data is taken as `gate` says, and the
/// tickets that it gives allow it. Without this, none is.
[[nodiscard]] bool take_early_data(SSL& session, EarlyGate& gate);

/// For every context of servers: tickets carry what their session's gate wants, or nothing.
void mark_tickets(SSL_CTX& context);

/// For a client's session over QUIC that has not begun: may it send early data? What was kept with
/// the session that it resumes is then in `kept`, for as long as `session` lives.
[[nodiscard]] bool send_early_data(SSL& session, base::Bytes& kept);

/// Keeps it with a session that a client was given.
void keep_with(SSL_SESSION& session, base::Bytes octets);

enum class EarlyOutcome : std::uint8_t { none, accepted, rejected };
/// Of a finished handshake.
EarlyOutcome early_outcome(const SSL& session);

}  // namespace certs
