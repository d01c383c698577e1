// OpenSSL's objects with owners, and its error queue as a sentence. Whoever makes an object owns
// it.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace certs {

template <auto free_function>
struct OpensslDelete {
  void operator()(auto* object) const { free_function(object); }
};

using SslPtr = std::unique_ptr<SSL, OpensslDelete<&SSL_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, OpensslDelete<&SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, OpensslDelete<&SSL_SESSION_free>>;
using CertificatePtr = std::unique_ptr<X509, OpensslDelete<&X509_free>>;
using CertificateStorePtr = std::unique_ptr<X509_STORE, OpensslDelete<&X509_STORE_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslDelete<&EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, OpensslDelete<&BIO_free_all>>;

/// To be called first thing in the program, before anything uses OpenSSL (false: too late). OpenSSL
/// then reads no configuration file of the system it happens to run on, and takes its record
/// buffers from a small stock of each thread: an idle connection gives them back with every message
/// (SSL_MODE_RELEASE_BUFFERS).
bool set_up_openssl();

/// Of a finished handshake: OpenSSL would keep the key share of the client until the connection
/// ends, which of X25519MLKEM768 is 6 KiB, and looks at it no more.
void forget_key_share(SSL& tls);

/// The newest entry of this thread's error queue in words ("no start line"), and the queue emptied:
/// what one connection left there must not be taken for another's.
std::string take_openssl_error();
/// Before a call whose outcome SSL_get_error() is asked about. There are hardly ever any, and
/// ERR_clear_error() looks through its whole store each time.
void clear_openssl_errors();

}  // namespace certs
