// The stream client of tests.
#include "tests/transports/stream_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/bytes.h"

namespace transports::test {

StreamClient::StreamClient(const base::Endpoint& server, std::optional<TlsWish> tls) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL's socket BIO writes without MSG_NOSIGNAL
  sockaddr_storage storage{};
  const socklen_t size = server.to_sockaddr(storage);
  descriptor_ = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{10, 0};
  const int on = 1;
  ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connected_ = ::connect(descriptor_, reinterpret_cast<sockaddr*>(&storage), size) == 0;
  if (connected_ && tls) shake_hands(*tls);
}

StreamClient::~StreamClient() {
  // Or OpenSSL would make the session useless for resumption.
  if (tls_ && connected_) SSL_set_shutdown(tls_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  tls_.reset();
  if (descriptor_ >= 0) ::close(descriptor_);
}

void StreamClient::shake_hands(const TlsWish& wish) {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = context_.get();
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
    static_cast<StreamClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->session_.reset(session);
    return 1;
  });
  if (!wish.groups.empty()) SSL_CTX_set1_groups_list(context, wish.groups.c_str());
  if (wish.most_version != 0) {
    SSL_CTX_set_min_proto_version(context, 0);
    SSL_CTX_set_max_proto_version(context, wish.most_version);
    if (wish.most_version < TLS1_2_VERSION) SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
  }
  if (!wish.authority_file.empty()) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_load_verify_file(context, wish.authority_file.c_str());
  }
  tls_.reset(SSL_new(context));
  SSL* ssl = tls_.get();
  SSL_set_fd(ssl, descriptor_);
  if (!wish.server_name.empty()) {
    SSL_set_tlsext_host_name(ssl, wish.server_name.c_str());
    SSL_set1_host(ssl, wish.server_name.c_str());
  }
  const base::Bytes alpn = base::as_bytes(wish.alpn);
  if (!alpn.empty()) SSL_set_alpn_protos(ssl, alpn.data(), static_cast<unsigned>(alpn.size()));
  if (wish.session != nullptr) SSL_set_session(ssl, wish.session);
  SSL_set_msg_callback_arg(ssl, this);
  SSL_set_msg_callback(ssl,
                       [](int sent, int, int type, const void* data, size_t, SSL*, void* self) {
                         // TLS 1.3 wraps everything: what is inside comes as a type of its own.
                         if (sent == 0 && type == SSL3_RT_INNER_CONTENT_TYPE &&
                             *static_cast<const unsigned char*>(data) == SSL3_RT_APPLICATION_DATA) {
                           ++static_cast<StreamClient*>(self)->records_;
                         }
                       });
  SSL_set_info_callback(ssl, [](const SSL* from, int where, int value) {
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT) {
      static_cast<StreamClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(from)))->alert_ =
          value & 0xFF;
    }
  });
  ERR_clear_error();
  connected_ = SSL_connect(ssl) == 1;
}

bool StreamClient::send(const Octets& octets) {
  if (tls_) {
    ERR_clear_error();
    return SSL_write(tls_.get(), octets.data(), static_cast<int>(octets.size())) ==
           static_cast<int>(octets.size());
  }
  return ::send(descriptor_, octets.data(), octets.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(octets.size());
}

void StreamClient::send_raw(const Octets& octets) const {
  ::send(descriptor_, octets.data(), octets.size(), MSG_NOSIGNAL);
}

std::ptrdiff_t StreamClient::read_some(std::uint8_t* out, std::size_t size) {
  if (!tls_) return ::recv(descriptor_, out, size, 0);
  ERR_clear_error();
  const int count = SSL_read(tls_.get(), out, static_cast<int>(size));
  if (count > 0) return count;
  return SSL_get_error(tls_.get(), count) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

std::optional<Octets> StreamClient::receive() {
  Octets message(2);
  std::size_t have = 0;
  for (const bool prefix : {true, false}) {
    if (!prefix) {
      message.resize(base::load_u16(message.data()));
      have = 0;
    }
    while (have < message.size()) {
      const std::ptrdiff_t count = read_some(message.data() + have, message.size() - have);
      if (count <= 0) return std::nullopt;
      have += static_cast<std::size_t>(count);
    }
  }
  return message;
}

Octets StreamClient::receive_some() {
  Octets some(16'384);
  some.resize(
      static_cast<std::size_t>(std::max<std::ptrdiff_t>(read_some(some.data(), some.size()), 0)));
  return some;
}

bool StreamClient::ends() {
  std::uint8_t octet = 0;
  const std::ptrdiff_t count = read_some(&octet, 1);
  if (count == 0) return true;
  return count < 0 && (tls_ || errno == ECONNRESET) && errno != EAGAIN;
}

void StreamClient::half_close() {
  if (tls_) SSL_shutdown(tls_.get());
  cut_off();
}

void StreamClient::cut_off() const { ::shutdown(descriptor_, SHUT_WR); }

void StreamClient::reset() {
  const linger at_once{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(descriptor_);
  descriptor_ = -1;
}

}  // namespace transports::test
