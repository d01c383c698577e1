// Client contexts: authorities, verification, pins, resumption.
#include "certs/tls_context.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/address.h"
#include "base/bytes.h"

namespace certs {

namespace {

// Where distributions keep the bundle; ours is a static binary, and OpenSSL knows but the place it
// was built for.
constexpr std::array bundles{
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Arch, Alpine, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",                   // Fedora, RHEL before 10
    "/var/lib/ca-certificates/ca-bundle.pem",             // openSUSE
    "/etc/ssl/ca-bundle.pem",                             // openSUSE before that
    "/etc/ssl/certs/ca-bundle.crt",                       // NixOS
    "/etc/ssl/cert.pem",                                  // Alpine without the package, OpenWrt
};

constexpr std::size_t digest_size = SHA256_DIGEST_LENGTH;

std::string system_bundle() {
  if (const char* named = std::getenv("SSL_CERT_FILE"); named != nullptr && *named != '\0')
    return named;
  for (const char* path : bundles) {
    if (::access(path, R_OK) == 0) return path;
  }
  return {};
}

std::string spki_digest(X509& certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &der);
  if (size <= 0) return {};
  std::string digest(digest_size, '\0');
  EVP_Q_digest(nullptr, "SHA256", nullptr, der, static_cast<std::size_t>(size),
               reinterpret_cast<unsigned char*>(digest.data()), nullptr);
  OPENSSL_free(der);
  return digest;
}

std::string from_base64(const std::string& text) {
  std::string raw(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(raw.data()),
                                   base::as_bytes(text).data(), static_cast<int>(text.size()));
  ERR_clear_error();
  if (size < static_cast<int>(digest_size)) return {};
  raw.resize(digest_size);  // DecodeBlock counts the padding as octets
  return raw;
}

}  // namespace

std::string spki_pin(X509& certificate) {
  const std::string digest = spki_digest(certificate);
  std::string text(4 * ((digest_size + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   base::as_bytes(digest).data(), static_cast<int>(digest.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::expected<CertificateStorePtr, std::string> Authorities::load(const std::string& file) {
  const std::scoped_lock lock(mutex_);
  CertificateStorePtr& kept = stores_[file];
  if (!kept) {
    const std::string path = file.empty() ? system_bundle() : file;
    if (path.empty()) {
      return std::unexpected(
          "no certificate authorities found on this system: install its ca-certificates package, "
          "or name a bundle");
    }
    CertificateStorePtr store(X509_STORE_new());
    if (!store || X509_STORE_load_file(store.get(), path.c_str()) != 1) {
      return std::unexpected(path +
                             ": cannot be read as PEM certificates: " + take_openssl_error());
    }
    kept = std::move(store);
  }
  X509_STORE_up_ref(kept.get());
  return CertificateStorePtr(kept.get());
}

ClientContext::~ClientContext() = default;

namespace {

const Alpn& alpn_of(conf::Protocol protocol) {
  switch (protocol) {
    case conf::Protocol::doq: return alpn_doq;
    case conf::Protocol::doh: return alpn_http;
    case conf::Protocol::doh3: return alpn_http3;
    default: return alpn_dot;
  }
}

}  // namespace

std::expected<std::unique_ptr<ClientContext>, std::string> ClientContext::make(
    const conf::Upstream& upstream, Authorities& authorities) {
  std::unique_ptr<ClientContext> made(new ClientContext(authorities));
  made->context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = made->context_.get();
  if (context == nullptr ||
      SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) !=
          1 ||  // RFC 8310 §9
                // Key shares for the first two at once: no second round trip, whichever the server
                // takes.
      SSL_CTX_set1_groups_list(context, "*X25519MLKEM768:*X25519:P-256") != 1) {
    return std::unexpected("no TLS: " + take_openssl_error());
  }
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_app_data(context, made.get());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &ClientContext::on_new_session);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  // set_alpn_protos is the one call here where 0 means success.
  const base::Bytes alpn = base::as_bytes(alpn_of(upstream.protocol).wire);
  if (SSL_CTX_set_alpn_protos(context, alpn.data(), static_cast<unsigned>(alpn.size())) != 0) {
    return std::unexpected("no TLS: " + take_openssl_error());
  }

  made->server_name_ = upstream.tls_name;
  made->name_is_address_ = base::Address::from_text(upstream.tls_name).has_value();
  for (const std::string& pin : upstream.pins) {
    std::string digest = from_base64(pin);
    if (digest.empty())
      return std::unexpected(upstream.url + ": `" + pin + "` is not a base64 SHA-256 pin");
    made->pins_.push_back(std::move(digest));
  }
  if (!made->pins_.empty()) {
    SSL_CTX_set_cert_verify_callback(context, &ClientContext::verify_pins, made.get());
  } else if (upstream.tls_name.empty()) {
    return std::unexpected(upstream.url + ": neither a name nor a pin to verify the server by");
  }
  made->ca_file_ = upstream.ca_file;
  if (!upstream.ca_file.empty()) {
    if (auto loaded = made->load_authorities(); !loaded) return std::unexpected(loaded.error());
  }
  return made;
}

std::expected<void, std::string> ClientContext::load_authorities() {
  if (authorities_loaded_ || !pins_.empty()) return {};
  std::expected<CertificateStorePtr, std::string> store = authorities_.load(ca_file_);
  if (!store) return std::unexpected(store.error());
  SSL_CTX_set1_cert_store(context_.get(), store->get());
  authorities_loaded_ = true;
  return {};
}

std::expected<SslPtr, std::string> ClientContext::make_session() {
  if (auto loaded = load_authorities(); !loaded) return std::unexpected(loaded.error());
  SslPtr session(SSL_new(context_.get()));
  if (!session) return std::unexpected("no TLS: " + take_openssl_error());
  SSL* ssl = session.get();
  SSL_set_connect_state(ssl);
  if (!server_name_.empty()) {
    if (!name_is_address_)
      SSL_set_tlsext_host_name(ssl, server_name_.c_str());  // RFC 6066 §3: never an address
    if (pins_.empty()) {
      SSL_set_hostflags(ssl,
                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      const int set = name_is_address_
                          ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server_name_.c_str())
                          : SSL_set1_host(ssl, server_name_.c_str());
      if (set != 1)
        return std::unexpected("`" + server_name_ +
                               "` cannot be verified: " + take_openssl_error());
    }
  }
  if (!sessions_.empty()) {
    SSL_set_session(ssl, sessions_.back().get());
    if (SSL_SESSION_get_protocol_version(sessions_.back().get()) >= TLS1_3_VERSION)
      sessions_.pop_back();
  }
  return session;
}

int ClientContext::on_new_session(SSL* ssl, SSL_SESSION* session) {
  auto& self = *static_cast<ClientContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  if (SSL_SESSION_is_resumable(session) != 1) return 0;
  if (self.look_) self.look_(*ssl, *session);
  if (self.sessions_.size() == sessions_max) self.sessions_.erase(self.sessions_.begin());
  self.sessions_.emplace_back(session);
  return 1;  // the reference is ours now
}

/// RFC 7858 §4.2: one key of the chain is pinned. A pinned leaf stands for itself; a pinned issuer
/// must have signed the path down to the leaf, or anybody could add its certificate to a chain of
/// their own.
int ClientContext::verify_pins(X509_STORE_CTX* path, void* context) {
  const auto& pins = static_cast<ClientContext*>(context)->pins_;
  const auto pinned = [&pins](X509* certificate) {
    return std::ranges::find(pins, spki_digest(*certificate)) != pins.end();
  };
  X509* leaf = X509_STORE_CTX_get0_cert(path);
  if (leaf != nullptr && pinned(leaf)) {
    X509_STORE_CTX_set_error(path, X509_V_OK);
    return 1;
  }
  const auto stack_free = [](STACK_OF(X509) * stack) { sk_X509_free(stack); };
  const std::unique_ptr<STACK_OF(X509), decltype(stack_free)> anchors(sk_X509_new_null(),
                                                                      stack_free);
  STACK_OF(X509)* presented = X509_STORE_CTX_get0_untrusted(path);
  for (int i = 0; i < sk_X509_num(presented); ++i) {
    X509* certificate = sk_X509_value(presented, i);
    if (pinned(certificate)) sk_X509_push(anchors.get(), certificate);
  }
  if (sk_X509_num(anchors.get()) == 0) {
    X509_STORE_CTX_set_error(path, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
  }
  X509_STORE_CTX_set0_trusted_stack(path, anchors.get());
  X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(path), X509_V_FLAG_PARTIAL_CHAIN);
  const int verified = X509_verify_cert(path);
  X509_STORE_CTX_set0_trusted_stack(path, nullptr);
  return verified;
}

}  // namespace certs
