// Early data of a connection: what a server's tickets promise and who may use one, what a client
// keeps of them. RFC 9000 §7.4.1, RFC 9001 §4.6, RFC 9250 §4.5.
#include <array>
#include <cstring>

#include "transports/quic/connection.h"

namespace transports::quic {

namespace {

/// Sealed in a ticket, which no other process opens.
struct Mark {
  std::uint64_t number;
  StreamLimits limits;
};
static_assert(sizeof(Mark) <= certs::EarlyGate::mark_max);

/// A client with early data goes by the old limits, which must not have shrunk (RFC 9000 §7.4.1).
bool is_within(const StreamLimits& old, const StreamLimits& now) {
  return old.bidirectional <= now.bidirectional && old.unidirectional <= now.unidirectional &&
         old.stream_octets <= now.stream_octets && old.octets <= now.octets;
}

constexpr std::size_t kept_max = 256;

}  // namespace

std::size_t Connection::mark(std::uint8_t* out) {
  const Mark made{.number = early_tickets_->issue(), .limits = limits_};
  std::memcpy(out, &made, sizeof made);
  return sizeof made;
}

/// Who has not proved his address may be anybody, also one who may ask: the answer would leave
/// before the handshake shows it.
bool Connection::admits(base::Bytes mark) {
  Mark told;
  if (!address_proved_ || alpn().empty() || mark.size() != sizeof told) return false;
  std::memcpy(&told, mark.data(), sizeof told);
  if (!is_within(told.limits, limits_)) return false;
  switch (early_tickets_->use(told.number)) {
    case EarlyTickets::Use::first: host_.early_data(*this, EarlyData::accepted); return true;
    case EarlyTickets::Use::forgotten: return false;
    case EarlyTickets::Use::again: break;
  }
  replayed_ = true;
  host_.early_data(*this, EarlyData::replayed);
  return false;
}

void Connection::keep_terms(SSL& tls, SSL_SESSION& session) {
  auto* const self = static_cast<ngtcp2_crypto_conn_ref*>(SSL_get_app_data(&tls));
  if (self == nullptr) return;
  std::array<std::uint8_t, kept_max> octets;
  const ngtcp2_ssize size =
      ngtcp2_conn_encode_0rtt_transport_params(self->get_conn(self), octets.data(), octets.size());
  certs::keep_with(session, {octets.data(), size > 0 ? static_cast<std::size_t>(size) : 0});
}

/// The handshake is done. A server has counted what it took already.
void Connection::conclude_early_data() {
  if (is_server()) {
    if (early_tickets_ != nullptr && !replayed_ &&
        certs::early_outcome(*tls_) == certs::EarlyOutcome::rejected) {
      host_.early_data(*this, EarlyData::rejected);
    }
    return;
  }
  if (!early_ || !codec_) return;
  const bool accepted = certs::early_outcome(*tls_) == certs::EarlyOutcome::accepted;
  host_.early_data(*this, accepted ? EarlyData::accepted : EarlyData::rejected);
  if (accepted) return;
  ngtcp2_conn_tls_early_data_rejected(library_);  // forgets its streams, and their octets
  codec_.reset();
}

}  // namespace transports::quic
