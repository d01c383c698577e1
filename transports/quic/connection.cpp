// Connections. Every call of the library that fails leads to fail() or end(), and write() says
// goodbye.
#include "transports/quic/connection.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "transports/quic/callbacks.h"

namespace transports::quic {

namespace {

// Other connections have their turn after so many bursts of packets.
constexpr int bursts_per_turn = 4;
// The peer's ids that we remember: enough for a client that moves, small for one that plays.
constexpr std::uint64_t peer_ids_max = 4;
// Of the id that we make up for a server (RFC 9000 §7.2: eight at least).
constexpr std::size_t first_id_size = 16;
// RFC 7301 §3.2's alert for a protocol that is not spoken; RFC 9001 §8.1 wants it for none at all.
constexpr std::uint8_t alert_no_application_protocol = 120;

}  // namespace

Connection::Connection(Host& host, certs::SslPtr tls) : host_(host), tls_(std::move(tls)) {
  ngtcp2_ccerr_default(&error_);
  self_.user_data = this;
  self_.get_conn = [](ngtcp2_crypto_conn_ref* self) {
    return static_cast<Connection*>(self->user_data)->library_;
  };
}

void Connection::prepare_library() {
  [[maybe_unused]] static const int prepared = ngtcp2_crypto_ossl_init();
}

Connection::~Connection() {
  release_library();
  while (!ids.empty()) {
    const ngtcp2_cid id = ids.back();
    host_.retire_id(*this, id);
  }
}

std::unique_ptr<Connection> Connection::accept(Host& host, Arrival arrival, const Terms& terms,
                                               certs::SslPtr tls, const Secrets& secrets,
                                               EarlyTickets* early) {
  std::unique_ptr<Connection> made(new Connection(host, std::move(tls)));
  if (!made->prepare_tls(true)) return nullptr;
  made->early_tickets_ = early;
  made->limits_ = terms.streams;
  made->address_proved_ = arrival.token != Secrets::Verdict::none;
  if (early != nullptr && !certs::take_early_data(*made->tls_, *made)) return nullptr;

  ngtcp2_settings settings;
  ngtcp2_settings_default(&settings);
  settings.initial_ts = stamp_now();
  settings.handshake_timeout = duration_of(terms.handshake_timeout);
  settings.no_pmtud = 1;
  if (arrival.token == Secrets::Verdict::retry || arrival.token == Secrets::Verdict::address) {
    settings.token = arrival.initial.token;
    settings.tokenlen = arrival.initial.tokenlen;
    settings.token_type = arrival.token == Secrets::Verdict::retry ? NGTCP2_TOKEN_TYPE_RETRY
                                                                   : NGTCP2_TOKEN_TYPE_NEW_TOKEN;
  }

  made->start_qlog(terms, arrival.initial.dcid, Qlog::Side::server, settings);

  ngtcp2_transport_params params;
  ngtcp2_transport_params_default(&params);
  params.initial_max_data = terms.streams.octets;
  params.initial_max_stream_data_bidi_remote = terms.streams.stream_octets;
  params.initial_max_stream_data_uni = terms.streams.stream_octets;
  params.initial_max_streams_bidi = terms.streams.bidirectional;
  params.initial_max_streams_uni = terms.streams.unidirectional;
  params.max_idle_timeout = duration_of(terms.idle_timeout);
  params.active_connection_id_limit = peer_ids_max;
  params.grease_quic_bit = 1;  // RFC 9287
  params.original_dcid_present = 1;
  params.original_dcid = arrival.initial.dcid;
  if (arrival.token == Secrets::Verdict::retry) {
    params.original_dcid = arrival.original;
    params.retry_scid = arrival.initial.dcid;
    params.retry_scid_present = 1;
  }
  ngtcp2_cid id{};
  params.stateless_reset_token_present = 1;
  if (!host.issue_id(*made, id, params.stateless_reset_token)) return nullptr;

  const ngtcp2_path path = arrival.path.view();
  if (ngtcp2_conn_server_new(&made->library_, &arrival.initial.scid, &id, &path,
                             arrival.initial.version, &callbacks(), &settings, &params,
                             terms.memory, made.get()) != 0) {
    return nullptr;
  }
  ngtcp2_conn_set_tls_native_handle(made->library_, made->tls_glue_);
  made->secrets_ = &secrets;
  made->update_expiry();
  return made;
}

std::unique_ptr<Connection> Connection::dial(Host& host, Path path, const Terms& terms,
                                             certs::SslPtr tls, base::Bytes token) {
  std::unique_ptr<Connection> made(new Connection(host, std::move(tls)));
  if (!made->prepare_tls(false)) return nullptr;

  ngtcp2_settings settings;
  ngtcp2_settings_default(&settings);
  settings.initial_ts = stamp_now();
  settings.handshake_timeout = duration_of(terms.handshake_timeout);
  settings.no_pmtud = 1;
  settings.token = token.data();
  settings.tokenlen = token.size();

  ngtcp2_transport_params params;
  ngtcp2_transport_params_default(&params);
  params.initial_max_data = terms.streams.octets;
  params.initial_max_stream_data_bidi_local = terms.streams.stream_octets;
  params.initial_max_stream_data_uni = terms.streams.stream_octets;
  params.initial_max_streams_uni = terms.streams.unidirectional;
  params.max_idle_timeout = duration_of(terms.idle_timeout);
  params.active_connection_id_limit = peer_ids_max;
  params.grease_quic_bit = 1;

  ngtcp2_cid theirs{};
  ngtcp2_cid ours{};
  theirs.datalen = first_id_size;
  std::array<std::uint8_t, NGTCP2_STATELESS_RESET_TOKENLEN> unused{};
  const ngtcp2_path way = path.view();
  if (RAND_bytes(theirs.data, first_id_size) != 1) return nullptr;
  made->start_qlog(terms, theirs, Qlog::Side::client, settings);
  if (!host.issue_id(*made, ours, unused.data()) ||
      ngtcp2_conn_client_new(&made->library_, &theirs, &ours, &way, NGTCP2_PROTO_VER_V1,
                             &callbacks(), &settings, &params, terms.memory, made.get()) != 0) {
    return nullptr;
  }
  ngtcp2_conn_set_tls_native_handle(made->library_, made->tls_glue_);
  base::Bytes kept;
  made->early_ = terms.early_data && certs::send_early_data(*made->tls_, kept) &&
                 ngtcp2_conn_decode_and_set_0rtt_transport_params(made->library_, kept.data(),
                                                                  kept.size()) == 0;
  made->update_expiry();
  return made;
}

bool Connection::prepare_tls(bool server) {
  SSL* ssl = tls_.get();
  if (ssl == nullptr) return false;
  const int configured = server ? ngtcp2_crypto_ossl_configure_server_session(ssl)
                                : ngtcp2_crypto_ossl_configure_client_session(ssl);
  if (configured != 0 || SSL_set_min_proto_version(ssl, TLS1_3_VERSION) != 1 ||
      ngtcp2_crypto_ossl_ctx_new(&tls_glue_, ssl) != 0) {
    return false;
  }
  SSL_set_app_data(ssl, &self_);
  return true;
}

// ---- packets in

Connection::Outcome Connection::read(const Datagram& datagram) {
  if (state_ == State::closing) {
    answer_after_close(datagram);
    return Outcome::taken;
  }
  if (state_ == State::finished) return Outcome::taken;
  Path way = datagram.path;
  const ngtcp2_path path = way.view();
  const ngtcp2_pkt_info info{.ecn = datagram.ecn};
  const int outcome = ngtcp2_conn_read_pkt(library_, &path, &info, datagram.octets.data(),
                                           datagram.octets.size(), stamp_now());
  switch (outcome) {
    case 0:
      heard_at_ = base::Clock::now();
      if (is_open() && is_server()) forget_tls();
      break;
    case NGTCP2_ERR_RETRY:
      end(End::handshake_failed);
      state_ = State::finished;
      schedule();
      return Outcome::retry_wanted;
    case NGTCP2_ERR_DROP_CONN: end(End::handshake_failed); break;
    case NGTCP2_ERR_DRAINING: end(End::peer); break;
    default: fail(outcome);
  }
  schedule();
  return Outcome::taken;
}

/// RFC 9000 §10.2.1: the same packet again, ever more rarely, and never more than three times what
/// came (§8.1, the address may be anybody's).
void Connection::answer_after_close(const Datagram& datagram) {
  if (goodbye_.empty() || !std::has_single_bit(++packets_after_close_)) return;
  if (goodbye_.size() > 3 * datagram.octets.size()) return;
  repeat_to_ = datagram.path;
  schedule();
}

// ---- packets out

void Connection::write(Datagrams& out, int descriptor) {
  if (repeat_to_) {
    const base::MutableBytes room = out.room(descriptor);
    std::ranges::copy(goodbye_, room.begin());
    out.queue(repeat_to_->view(), 0, goodbye_.size(), goodbye_.size());
    repeat_to_.reset();
  }
  if (has_closed()) return;
  for (int bursts = 0; !goodbye_wanted_; ++bursts) {
    if (bursts == bursts_per_turn) {
      schedule();
      break;
    }
    const base::MutableBytes room = out.room(descriptor);
    ngtcp2_path_storage path;
    ngtcp2_path_storage_zero(&path);
    ngtcp2_pkt_info info{};
    std::size_t segment = 0;
    const auto write_one = [](ngtcp2_conn*, ngtcp2_path* way, ngtcp2_pkt_info* about,
                              std::uint8_t* dest, std::size_t size, ngtcp2_tstamp now,
                              void* user) -> ngtcp2_ssize {
      return static_cast<Connection*>(user)->write_packet(way, about, dest, size, now);
    };
    const ngtcp2_ssize written = ngtcp2_conn_write_aggregate_pkt(
        library_, &path.path, &info, room.data(), room.size(), &segment, write_one, stamp_now());
    if (written < 0) {
      fail(static_cast<int>(written));
    } else if (written == 0) {
      break;
    } else {
      out.queue(path.path, static_cast<std::uint8_t>(info.ecn), static_cast<std::size_t>(written),
                segment);
    }
  }
  if (!goodbye_wanted_ && draining_ && is_idle()) close_politely();
  if (goodbye_wanted_) return say_goodbye(out, descriptor);
  update_expiry();
}

/// One packet, with as much of as many streams as there is room for.
ngtcp2_ssize Connection::write_packet(ngtcp2_path* path, ngtcp2_pkt_info* info, std::uint8_t* out,
                                      std::size_t size, ngtcp2_tstamp now) {
  for (;;) {
    Output output;
    if (codec_ && ngtcp2_conn_get_max_data_left(library_) != 0) output = codec_->next_output();
    std::uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_NONE;
    if (output.stream != nullptr) flags |= NGTCP2_WRITE_STREAM_FLAG_MORE;
    if (output.fin) flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
    ngtcp2_ssize taken = -1;
    const ngtcp2_ssize written = ngtcp2_conn_writev_stream(
        library_, path, info, out, size, &taken, flags,
        output.stream == nullptr ? -1 : output.stream->id, output.parts.data(), output.count, now);
    if (output.stream != nullptr) {
      if (taken >= 0) codec_->sent(*output.stream, static_cast<std::size_t>(taken));
      switch (written) {
        case NGTCP2_ERR_WRITE_MORE: continue;
        case NGTCP2_ERR_STREAM_DATA_BLOCKED: codec_->blocked(*output.stream); continue;
        case NGTCP2_ERR_STREAM_SHUT_WR:
        case NGTCP2_ERR_STREAM_NOT_FOUND: codec_->unwritable(*output.stream); continue;
        default: break;
      }
    }
    output_waits_ = output.stream != nullptr;
    return written;
  }
}

// ---- the end

void Connection::fail(int library_error) {
  if (goodbye_wanted_ || has_closed()) return;
  goodbye_wanted_ = true;
  const std::uint8_t alert = ngtcp2_conn_get_tls_alert(library_);
  if (library_error == NGTCP2_ERR_CRYPTO && alert != 0) {
    ngtcp2_ccerr_set_tls_alert(&error_, alert, nullptr, 0);
  } else {
    ngtcp2_ccerr_set_liberr(&error_, library_error, nullptr, 0);
  }
}

void Connection::close(std::uint64_t application_code) {
  if (goodbye_wanted_ || has_closed()) return;
  goodbye_wanted_ = true;
  ngtcp2_ccerr_set_application_error(&error_, application_code, nullptr, 0);
  schedule();
}

void Connection::close_politely() {
  if (has_closed()) return;
  if (is_open()) return close(codec().no_error());
  if (goodbye_wanted_) return;
  goodbye_wanted_ = true;
  ngtcp2_ccerr_set_transport_error(&error_, NGTCP2_CONNECTION_REFUSED, nullptr, 0);
  schedule();
}

void Connection::drain() {
  if (!std::exchange(draining_, true) && codec_) codec_->drain();
  schedule();
}

void Connection::say_goodbye(Datagrams& out, int descriptor) {
  const base::MutableBytes room = out.room(descriptor);
  ngtcp2_path_storage path;
  ngtcp2_path_storage_zero(&path);
  ngtcp2_pkt_info info{};
  const ngtcp2_ssize written = ngtcp2_conn_write_connection_close(
      library_, &path.path, &info, room.data(), datagram_size, &error_, stamp_now());
  if (written > 0) {
    goodbye_.assign(room.begin(), room.begin() + written);
    out.queue(path.path, static_cast<std::uint8_t>(info.ecn), goodbye_.size(), goodbye_.size());
  }
  const bool polite = codec_ && error_.type == NGTCP2_CCERR_TYPE_APPLICATION &&
                      error_.error_code == codec_->no_error();
  end(polite ? End::drained : End::error);
}

/// From here on nothing is left but what repeats the goodbye, or keeps still (RFC 9000 §10.2).
void Connection::end(End end) {
  if (has_closed()) return;
  if (state_ == State::handshaking && end != End::handshake_timeout) end = End::handshake_failed;
  expiry_ = base::Clock::now() + std::chrono::nanoseconds(3 * ngtcp2_conn_get_pto(library_));
  state_ = State::closing;
  host_.closed(*this, end);
  release_library();
}

/// The TLS object must not call into the library any more; the codec's octets go after the library,
/// which points at them.
void Connection::release_library() {
  if (tls_) SSL_set_app_data(tls_.get(), nullptr);
  if (library_ != nullptr) ngtcp2_conn_del(std::exchange(library_, nullptr));
  codec_.reset();
  forget_tls();
}

/// A server needs it for the handshake alone, which ends with its tickets: the keys are the
/// library's, keys are updated without TLS, and clients have nothing more to say to it (RFC 9001
/// §6). It is a third of what an idle connection would cost.
void Connection::forget_tls() {
  // QUIC has no close_notify; without it OpenSSL takes the session for broken, and a client would
  // never resume.
  if (tls_) SSL_set_shutdown(tls_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  tls_.reset();
  if (library_ != nullptr) ngtcp2_conn_set_tls_native_handle(library_, nullptr);
  if (tls_glue_ != nullptr) ngtcp2_crypto_ossl_ctx_del(std::exchange(tls_glue_, nullptr));
}

// ---- timers

void Connection::on_expiry() {
  if (state_ == State::closing) state_ = State::finished;
  if (state_ == State::finished) return;
  count_path_turn(base::Clock::now());
  const int outcome = ngtcp2_conn_handle_expiry(library_, stamp_now());
  if (outcome == NGTCP2_ERR_IDLE_CLOSE) {
    end(state_ == State::open ? End::idle : End::handshake_timeout);
    state_ = State::finished;
  } else if (outcome == NGTCP2_ERR_HANDSHAKE_TIMEOUT) {
    end(End::handshake_timeout);
    state_ = State::finished;
  } else if (outcome != 0) {
    fail(outcome);
  }
}

/// The library's first expiry is often its pacer's (RFC 9002 §7.7), microseconds ahead, although
/// nothing is left to be sent: who has no octets waiting may sleep for as long as timers are exact.
void Connection::update_expiry() {
  constexpr std::chrono::milliseconds granularity{1};  // RFC 9002 §6.1.2
  expiry_ = std::min(time_of(ngtcp2_conn_get_expiry(library_)), path_expiry());
  if (is_open() && !output_waits_) expiry_ = std::max(expiry_, base::Clock::now() + granularity);
}

// ---- streams

/// Made when the handshake is done, or with the first octets that come, or go, before that.
Codec& Connection::codec() {
  if (!codec_) {
    codec_ = host_.make_codec(*this);
    codec_->opened();
    if (draining_) codec_->drain();
  }
  return *codec_;
}

void Connection::on_handshake_completed() {
  if (alpn().empty()) {  // RFC 9001 §8.1
    ngtcp2_ccerr_set_tls_alert(&error_, alert_no_application_protocol, nullptr, 0);
    goodbye_wanted_ = true;
    return;
  }
  conclude_early_data();
  state_ = State::open;
  if (qlog_) qlog_->begin();
  codec();
  host_.opened(*this);
  if (!is_server()) return;
  const Secrets::Token token = secrets_->address_token(ngtcp2_conn_get_path(library_)->remote);
  if (token.size != 0) ngtcp2_conn_submit_new_token(library_, token.octets.data(), token.size);
}

int Connection::on_crypto_data(ngtcp2_encryption_level level, std::uint64_t offset,
                               base::Bytes octets) {
  if (tls_) {
    return ngtcp2_crypto_recv_crypto_data_cb(library_, level, offset, octets.data(), octets.size(),
                                             this);
  }
  ngtcp2_conn_set_tls_alert(library_, SSL_AD_UNEXPECTED_MESSAGE);  // RFC 9001 §6
  return NGTCP2_ERR_CRYPTO;
}

int Connection::on_stream_open(StreamId id) {
  Stream* stream = codec().accept(id);
  if (stream == nullptr) return 0;
  stream->id = id;
  ngtcp2_conn_set_stream_user_data(library_, id, stream);
  return 0;
}

void Connection::on_stream_closed(Stream* stream, StreamId id) {
  const bool grant = (stream == nullptr || codec().closed(*stream)) && !draining_;
  if (ngtcp2_conn_is_local_stream(library_, id) != 0 || !grant) return;
  if (ngtcp2_is_bidi_stream(id) != 0) {
    ngtcp2_conn_extend_max_streams_bidi(library_, 1);
  } else {
    ngtcp2_conn_extend_max_streams_uni(library_, 1);
  }
}

}  // namespace transports::quic
