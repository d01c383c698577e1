// What others want to know of a connection.
#include <chrono>

#include "transports/quic/callbacks.h"
#include "transports/quic/connection.h"

namespace transports::quic {

/// A server is who we chose; a client must prove its address before a file is made for it.
void Connection::start_qlog(const Terms& terms, const ngtcp2_cid& first_id, Qlog::Side side,
                            ngtcp2_settings& settings) {
  if (terms.qlogs == nullptr || terms.qlogs->directory.empty()) return;
  qlog_ = std::make_unique<Qlog>(*terms.qlogs, first_id, side);
  settings.qlog_write = qlog_write();
  if (address_proved_ || side == Qlog::Side::client) qlog_->begin();
}

base::Endpoint Connection::peer() const {
  return base::Endpoint::from_sockaddr(*ngtcp2_conn_get_path(library_)->remote.addr);
}

bool Connection::unacknowledged() const {
  if (library_ == nullptr) return false;
  ngtcp2_conn_info info;
  ngtcp2_conn_get_conn_info(library_, &info);
  constexpr int patience = 3;  // probes that were not answered
  const std::chrono::nanoseconds probe(ngtcp2_conn_get_pto(library_));
  return info.bytes_in_flight != 0 && base::Clock::now() - heard_at_ > patience * probe;
}

std::chrono::nanoseconds Connection::peer_idle_timeout() const {
  const ngtcp2_transport_params* params =
      library_ == nullptr ? nullptr : ngtcp2_conn_get_remote_transport_params(library_);
  return std::chrono::nanoseconds(params == nullptr ? 0 : params->max_idle_timeout);
}

Facts Connection::facts() const {
  const ngtcp2_transport_params* params = ngtcp2_conn_get_remote_transport_params(library_);
  return {.version = ngtcp2_conn_get_negotiated_version(library_),
          .retried = params != nullptr && params->retry_scid_present != 0};
}

base::Bytes Connection::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(tls_.get(), &name, &size);
  return {name, size};
}

}  // namespace transports::quic
