// Early data by OpenSSL's hooks for QUIC stacks. Its own replay protection is a cache of sessions
// on the server; ours are sealed tickets, so that is switched off, and the gate's is what counts.
#include "certs/early_data.h"

#include <array>

namespace certs {

namespace {

int gate_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

base::Bytes kept_with(SSL_SESSION* session) {
  void* data = nullptr;
  std::size_t size = 0;
  if (session == nullptr || SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1) return {};
  return {static_cast<const std::uint8_t*>(data), size};
}

/// OpenSSL asks last of all: the ticket is good and young enough, its SNI and ALPN are this
/// handshake's (RFC 8446 §4.2.10).
int on_early_data(SSL* ssl, void* gate) {
  return static_cast<EarlyGate*>(gate)->admits(kept_with(SSL_get0_session(ssl))) ? 1 : 0;
}

int on_ticket(SSL* ssl, void*) {
  std::array<std::uint8_t, EarlyGate::mark_max> mark;
  std::size_t size = 0;
  if (auto* gate = static_cast<EarlyGate*>(SSL_get_ex_data(ssl, gate_index())))
    size = gate->mark(mark.data());
  // A resumed session has the mark of the ticket that it came with: it must not go on with it.
  return SSL_SESSION_set1_ticket_appdata(SSL_get0_session(ssl), mark.data(), size);
}

}  // namespace

bool take_early_data(SSL& session, EarlyGate& gate) {
  SSL_set_options(&session, SSL_OP_NO_ANTI_REPLAY);
  SSL_set_allow_early_data_cb(&session, &on_early_data, &gate);
  return SSL_set_ex_data(&session, gate_index(), &gate) == 1 &&
         SSL_set_quic_tls_early_data_enabled(&session, 1) == 1;
}

void mark_tickets(SSL_CTX& context) {
  SSL_CTX_set_session_ticket_cb(&context, &on_ticket, nullptr, nullptr);
}

bool send_early_data(SSL& session, base::Bytes& kept) {
  kept = kept_with(SSL_get0_session(&session));
  return !kept.empty() && SSL_set_quic_tls_early_data_enabled(&session, 1) == 1;
}

void keep_with(SSL_SESSION& session, base::Bytes octets) {
  SSL_SESSION_set1_ticket_appdata(&session, octets.data(), octets.size());
}

EarlyOutcome early_outcome(const SSL& session) {
  switch (SSL_get_early_data_status(&session)) {
    case SSL_EARLY_DATA_ACCEPTED: return EarlyOutcome::accepted;
    case SSL_EARLY_DATA_REJECTED: return EarlyOutcome::rejected;
    default: return EarlyOutcome::none;
  }
}

}  // namespace certs
