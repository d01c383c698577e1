// The table, and its thunks.
#include "transports/quic/callbacks.h"

#include <ngtcp2/ngtcp2_crypto.h>
#include <openssl/rand.h>

#include "transports/quic/connection.h"

namespace transports::quic {

/// Friend of Connection: the thunks reach its members.
struct Callbacks {
  static Connection& of(void* user) { return *static_cast<Connection*>(user); }
  static Stream& stream(void* user) { return *static_cast<Stream*>(user); }

  static int handshake_completed(ngtcp2_conn*, void* user) {
    of(user).on_handshake_completed();
    return 0;
  }
  static int crypto_data(ngtcp2_conn*, ngtcp2_encryption_level level, std::uint64_t offset,
                         const std::uint8_t* data, std::size_t size, void* user) {
    return of(user).on_crypto_data(level, offset, {data, size});
  }
  static int stream_open(ngtcp2_conn*, StreamId id, void* user) {
    return of(user).on_stream_open(id);
  }
  static int received(ngtcp2_conn*, std::uint32_t flags, StreamId, std::uint64_t,
                      const std::uint8_t* data, std::size_t size, void* user, void* of_stream) {
    if (of_stream == nullptr) {
      of(user).release(size);
      return 0;
    }
    of(user).codec().received(stream(of_stream), {data, size},
                              (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0,
                              (flags & NGTCP2_STREAM_DATA_FLAG_0RTT) != 0);
    return 0;
  }
  static int acknowledged(ngtcp2_conn*, StreamId, std::uint64_t, std::uint64_t size, void* user,
                          void* of_stream) {
    if (of_stream != nullptr) of(user).codec().acknowledged(stream(of_stream), size);
    return 0;
  }
  static int stream_close(ngtcp2_conn*, std::uint32_t, StreamId id, std::uint64_t, void* user,
                          void* of_stream) {
    of(user).on_stream_closed(static_cast<Stream*>(of_stream), id);
    return 0;
  }
  static int stream_reset(ngtcp2_conn*, StreamId, std::uint64_t, std::uint64_t code, void* user,
                          void* of_stream) {
    if (of_stream != nullptr) of(user).codec().reset_by_peer(stream(of_stream), code);
    return 0;
  }
  static int stop_sending(ngtcp2_conn*, StreamId, std::uint64_t, void* user, void* of_stream) {
    if (of_stream != nullptr) of(user).codec().stopped_by_peer(stream(of_stream));
    return 0;
  }
  static int extend_stream(ngtcp2_conn*, StreamId, std::uint64_t, void* user, void* of_stream) {
    if (of_stream != nullptr) of(user).codec().unblocked(stream(of_stream));
    return 0;
  }
  static int new_id(ngtcp2_conn*, ngtcp2_cid* id, ngtcp2_stateless_reset_token* token, std::size_t,
                    void* user) {
    return of(user).host_.issue_id(of(user), *id, token->data) ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
  }
  static int remove_id(ngtcp2_conn*, const ngtcp2_cid* id, void* user) {
    of(user).host_.retire_id(of(user), *id);
    return 0;
  }
  static int path_in_question(ngtcp2_conn*, std::uint32_t, const ngtcp2_path*, const ngtcp2_path*,
                              void* user) {
    of(user).on_path_in_question();
    return 0;
  }
  static int path_settled(ngtcp2_conn*, std::uint32_t, const ngtcp2_path*, const ngtcp2_path*,
                          ngtcp2_path_validation_result result, void* user) {
    of(user).on_path_settled(result == NGTCP2_PATH_VALIDATION_RESULT_SUCCESS);
    return 0;
  }
  static int new_token(ngtcp2_conn*, const std::uint8_t* token, std::size_t size, void* user) {
    of(user).host_.new_token(of(user), {token, size});
    return 0;
  }
  static void log(void* user, std::uint32_t, const void* data, std::size_t size) {
    of(user).qlog_->write({static_cast<const std::uint8_t*>(data), size});
  }
  static void random(std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx*) {
    RAND_bytes(out, static_cast<int>(size));
  }
};

const ngtcp2_callbacks& callbacks() {
  static const ngtcp2_callbacks table = [] {
    ngtcp2_callbacks all{};
    all.client_initial = ngtcp2_crypto_client_initial_cb;
    all.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
    all.recv_crypto_data = &Callbacks::crypto_data;
    all.recv_retry = ngtcp2_crypto_recv_retry_cb;
    all.encrypt = ngtcp2_crypto_encrypt_cb;
    all.decrypt = ngtcp2_crypto_decrypt_cb;
    all.hp_mask = ngtcp2_crypto_hp_mask_cb;
    all.update_key = ngtcp2_crypto_update_key_cb;
    all.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
    all.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
    all.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
    all.get_path_challenge_data2 = ngtcp2_crypto_get_path_challenge_data2_cb;
    all.handshake_completed = &Callbacks::handshake_completed;
    all.stream_open = &Callbacks::stream_open;
    all.recv_stream_data = &Callbacks::received;
    all.acked_stream_data_offset = &Callbacks::acknowledged;
    all.stream_close = &Callbacks::stream_close;
    all.stream_reset = &Callbacks::stream_reset;
    all.stream_stop_sending = &Callbacks::stop_sending;
    all.extend_max_stream_data = &Callbacks::extend_stream;
    all.get_new_connection_id2 = &Callbacks::new_id;
    all.remove_connection_id = &Callbacks::remove_id;
    all.begin_path_validation = &Callbacks::path_in_question;
    all.path_validation = &Callbacks::path_settled;
    all.recv_new_token = &Callbacks::new_token;
    all.rand = &Callbacks::random;
    return all;
  }();
  return table;
}

ngtcp2_qlog_write qlog_write() { return &Callbacks::log; }

}  // namespace transports::quic
