// A client and a server that shake hands in memory, for tests of contexts.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <string>

#include "certs/openssl.h"

namespace certs::test {

/// Both ends of a connection that lives in memory; done() after the tickets have come, too.
class MemoryHandshake {
 public:
  MemoryHandshake(SslPtr client, SslPtr server)
      : client_(std::move(client)), server_(std::move(server)) {
    BIO* of_client = nullptr;
    BIO* of_server = nullptr;
    BIO_new_bio_pair(&of_client, 1 << 16, &of_server, 1 << 16);
    SSL_set_bio(client_.get(), of_client, of_client);
    SSL_set_bio(server_.get(), of_server, of_server);
    for (int turn = 0; turn < 20 && !(client_done_ && server_done_); ++turn) {
      client_done_ = client_done_ || SSL_do_handshake(client_.get()) == 1;
      server_done_ = server_done_ || SSL_do_handshake(server_.get()) == 1;
    }
    if (done()) {
      std::array<unsigned char, 1> octet{};
      SSL_read(client_.get(), octet.data(), 1);  // takes the tickets in
    }
    ERR_clear_error();
  }
  ~MemoryHandshake() {
    // Or the sessions would be useless for resumption; Channel does the same.
    for (SSL* end : {client_.get(), server_.get()}) {
      SSL_set_shutdown(end, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
  }
  MemoryHandshake(const MemoryHandshake&) = delete;
  MemoryHandshake& operator=(const MemoryHandshake&) = delete;

  [[nodiscard]] bool done() const { return client_done_ && server_done_; }
  [[nodiscard]] bool resumed() const { return SSL_session_reused(client_.get()) == 1; }
  [[nodiscard]] std::string verdict() const {
    return X509_verify_cert_error_string(SSL_get_verify_result(client_.get()));
  }
  [[nodiscard]] SSL* client() const { return client_.get(); }
  [[nodiscard]] SSL* server() const { return server_.get(); }

 private:
  SslPtr client_;
  SslPtr server_;
  bool client_done_ = false;
  bool server_done_ = false;
};

}  // namespace certs::test
