// What a QUIC handshake costs a server at the very least: ngtcp2 and OpenSSL alone, in memory, with
// what the load generator's clients offer (X25519, AES-128-GCM) and an ECDSA certificate. No
// socket, no codec, nothing of ours: what new DoQ connections cost is held against it. RFC 9001.
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_ossl.h>
#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <memory>
#include <vector>

#include "certs/openssl.h"

namespace {

using Datagrams = std::vector<std::vector<std::uint8_t>>;

constexpr std::array<std::uint8_t, 4> alpn{3, 'd', 'o', 'q'};

void must(bool holds) {
  if (!holds) std::abort();
}

ngtcp2_tstamp now() {
  return static_cast<ngtcp2_tstamp>(std::chrono::steady_clock::now().time_since_epoch().count());
}

/// Of this thread, in seconds.
double processor_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

certs::SslContextPtr server_context() {
  certs::SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  const certs::KeyPtr key(EVP_EC_gen("P-256"));
  const certs::CertificatePtr certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  must(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  must(SSL_CTX_use_certificate(context.get(), certificate.get()) == 1);
  must(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
  SSL_CTX_set_alpn_select_cb(
      context.get(),
      [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in, unsigned,
         void*) {
        *out = in + 1;
        *size = in[0];
        return SSL_TLSEXT_ERR_OK;
      },
      nullptr);
  SSL_CTX_set_num_tickets(context.get(), 1);
  return context;
}

certs::SslContextPtr client_context() {
  certs::SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  must(SSL_CTX_set1_groups_list(context.get(), "X25519") == 1);
  must(SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_128_GCM_SHA256") == 1);
  return context;
}

const ngtcp2_callbacks& callbacks() {
  static const ngtcp2_callbacks table = [] {
    ngtcp2_callbacks all{};
    all.client_initial = ngtcp2_crypto_client_initial_cb;
    all.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
    all.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
    all.recv_retry = ngtcp2_crypto_recv_retry_cb;
    all.encrypt = ngtcp2_crypto_encrypt_cb;
    all.decrypt = ngtcp2_crypto_decrypt_cb;
    all.hp_mask = ngtcp2_crypto_hp_mask_cb;
    all.update_key = ngtcp2_crypto_update_key_cb;
    all.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
    all.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
    all.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
    all.get_path_challenge_data2 = ngtcp2_crypto_get_path_challenge_data2_cb;
    all.rand = [](std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx*) {
      RAND_bytes(out, static_cast<int>(size));
    };
    all.get_new_connection_id2 = [](ngtcp2_conn*, ngtcp2_cid* id,
                                    ngtcp2_stateless_reset_token* token, std::size_t size, void*) {
      id->datalen = size;
      RAND_bytes(id->data, static_cast<int>(size));
      RAND_bytes(token->data, sizeof token->data);
      return 0;
    };
    return all;
  }();
  return table;
}

ngtcp2_cid new_id() {
  ngtcp2_cid id{};
  id.datalen = 12;
  RAND_bytes(id.data, 12);
  return id;
}

/// One end of a connection.
class End {
 public:
  /// A client's, or a server's who has got that first packet.
  End(SSL_CTX& context, const ngtcp2_pkt_hd* first) : tls_(SSL_new(&context)) {
    ngtcp2_settings settings;
    ngtcp2_settings_default(&settings);
    settings.initial_ts = now();
    settings.no_pmtud = 1;
    ngtcp2_transport_params params;
    ngtcp2_transport_params_default(&params);
    params.initial_max_data = params.initial_max_stream_data_bidi_remote = 65537;
    params.initial_max_streams_bidi = 100;
    params.max_idle_timeout = 30 * NGTCP2_SECONDS;
    const ngtcp2_cid own = new_id();
    self_.user_data = this;
    self_.get_conn = [](ngtcp2_crypto_conn_ref* self) {
      return static_cast<End*>(self->user_data)->library_;
    };
    if (first != nullptr) {
      params.original_dcid_present = 1;
      params.original_dcid = first->dcid;
      must(ngtcp2_crypto_ossl_configure_server_session(tls_.get()) == 0);
      SSL_set_accept_state(tls_.get());
      must(ngtcp2_conn_server_new(&library_, &first->scid, &own, &path_, first->version,
                                  &callbacks(), &settings, &params, nullptr, this) == 0);
    } else {
      const ngtcp2_cid theirs = new_id();
      must(ngtcp2_crypto_ossl_configure_client_session(tls_.get()) == 0);
      SSL_set_connect_state(tls_.get());
      SSL_set_alpn_protos(tls_.get(), alpn.data(), alpn.size());
      must(ngtcp2_conn_client_new(&library_, &theirs, &own, &path_, NGTCP2_PROTO_VER_V1,
                                  &callbacks(), &settings, &params, nullptr, this) == 0);
    }
    SSL_set_app_data(tls_.get(), &self_);
    must(ngtcp2_crypto_ossl_ctx_new(&glue_, tls_.get()) == 0);
    ngtcp2_conn_set_tls_native_handle(library_, glue_);
  }
  ~End() {
    SSL_set_app_data(tls_.get(), nullptr);
    ngtcp2_conn_del(library_);
    tls_.reset();
    ngtcp2_crypto_ossl_ctx_del(glue_);
  }
  End(const End&) = delete;
  End& operator=(const End&) = delete;

  void read(const Datagrams& datagrams) {
    const ngtcp2_pkt_info info{};
    for (const auto& each : datagrams)
      must(ngtcp2_conn_read_pkt(library_, &path_, &info, each.data(), each.size(), now()) == 0);
  }
  void write(Datagrams& out) {
    out.clear();
    std::array<std::uint8_t, NGTCP2_MAX_UDP_PAYLOAD_SIZE> room;
    for (;;) {
      const ngtcp2_ssize size =
          ngtcp2_conn_write_pkt(library_, nullptr, nullptr, room.data(), room.size(), now());
      must(size >= 0);
      if (size == 0) return;
      out.emplace_back(room.begin(), room.begin() + size);
    }
  }
  [[nodiscard]] bool is_done() const { return ngtcp2_conn_get_handshake_completed(library_) != 0; }

 private:
  sockaddr_in address_{.sin_family = AF_INET, .sin_port = 1, .sin_addr = {}, .sin_zero = {}};
  ngtcp2_path path_{.local = {reinterpret_cast<sockaddr*>(&address_), sizeof address_},
                    .remote = {reinterpret_cast<sockaddr*>(&address_), sizeof address_},
                    .user_data = nullptr};
  ngtcp2_conn* library_ = nullptr;
  certs::SslPtr tls_;
  ngtcp2_crypto_ossl_ctx* glue_ = nullptr;
  ngtcp2_crypto_conn_ref self_{};
};

/// Seconds of the server alone.
double shake_hands(SSL_CTX& of_server, SSL_CTX& of_client) {
  Datagrams datagrams;
  End client(of_client, nullptr);
  client.write(datagrams);
  double begun = processor_time();
  ngtcp2_pkt_hd first;
  must(ngtcp2_accept(&first, datagrams[0].data(), datagrams[0].size()) == 0);
  auto server = std::make_unique<End>(of_server, &first);
  server->read(datagrams);
  server->write(datagrams);
  double used = processor_time() - begun;
  for (int round = 0; round < 2; ++round) {
    client.read(datagrams);
    client.write(datagrams);
    begun = processor_time();
    server->read(datagrams);
    server->write(datagrams);
    used += processor_time() - begun;
  }
  must(client.is_done() && server->is_done());
  begun = processor_time();
  server.reset();
  return used + (processor_time() - begun);
}

}  // namespace

int main() {
  certs::set_up_openssl();
  must(ngtcp2_crypto_ossl_init() == 0);
  const certs::SslContextPtr of_server = server_context();
  const certs::SslContextPtr of_client = client_context();
  constexpr int rounds = 5;
  constexpr int count = 400;
  double best = 1.0;
  for (int round = 0; round < rounds; ++round) {
    double used = 0;
    for (int i = 0; i < count; ++i) used += shake_hands(*of_server, *of_client);
    best = std::min(best, used / count);
  }
  std::cout << "a QUIC handshake of a server, in memory: " << best * 1e6 << " us\n";
}
