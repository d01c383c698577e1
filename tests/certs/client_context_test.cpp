// Strict verification, pins and resumption as a client. RFC 8310 §8.1, RFC 7858 §4.2, RFC 8446
// §C.4.
#include "certs/tls_context.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "certs/ticket_keys.h"
#include "tests/certs/memory_handshake.h"
#include "tests/certs/pem_files.h"

namespace certs {
namespace {

using test::certificate_for;
using test::MemoryHandshake;
using test_support::CertificateWish;
using test_support::KeyedCertificate;
using test_support::make_certificate;

/// A server with any pair, however wrong.
SslPtr server_with(const KeyedCertificate& leaf,
                   const std::vector<const KeyedCertificate*>& chain = {},
                   int most_version = TLS1_3_VERSION) {
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context.get(), most_version);
  if (most_version < TLS1_2_VERSION) SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0");
  SSL_CTX_use_certificate(context.get(), leaf.certificate.get());
  SSL_CTX_use_PrivateKey(context.get(), leaf.key.get());
  for (const KeyedCertificate* link : chain)
    SSL_CTX_add1_chain_cert(context.get(), link->certificate.get());
  SslPtr server(SSL_new(context.get()));
  SSL_set_accept_state(server.get());
  return server;
}

class Client : public testing::Test {
 protected:
  Client() {
    upstream_.url = "tls://192.0.2.53#dns.example.org";
    upstream_.tls_name = "dns.example.org";
    upstream_.ca_file = directory_.file("ca.pem");
    static_cast<void>(write_atomically(upstream_.ca_file, root_.certificate_pem(), 0644));
  }
  std::unique_ptr<ClientContext> context() {
    auto made = ClientContext::make(upstream_, authorities_);
    EXPECT_TRUE(made) << made.error();
    return std::move(*made);
  }
  /// "ok", or why not.
  std::string verdict(SslPtr server) {
    const auto made = context();
    const MemoryHandshake handshake(*made->make_session(), std::move(server));
    EXPECT_EQ(handshake.done(), handshake.verdict() == "ok") << handshake.verdict();
    return handshake.verdict();
  }

  test::Directory directory_;
  KeyedCertificate root_ = certificate_for("root.example", nullptr, true);
  Authorities authorities_;
  conf::Upstream upstream_;
};

TEST_F(Client, Rfc8310_8_1_WholePathAndNameInTheSan) {
  const KeyedCertificate middle = certificate_for("middle.example", &root_, true);
  const KeyedCertificate leaf = certificate_for("dns.example.org", &middle);
  EXPECT_EQ(verdict(server_with(leaf, {&middle})), "ok");
  EXPECT_EQ(verdict(server_with(certificate_for("*.example.org", &root_))), "ok");
  EXPECT_EQ(verdict(server_with(leaf)), "unable to get local issuer certificate");
}

TEST_F(Client, Rfc8310_8_1_EightBadCertificates) {
  const auto wish = [](auto change) {
    CertificateWish wanted{
        .common_name = "dns.example.org", .dns_names = {"dns.example.org"}, .addresses = {}};
    change(wanted);
    return wanted;
  };
  const auto bad = [&](auto change) { return server_with(make_certificate(wish(change), &root_)); };
  EXPECT_EQ(verdict(bad([](CertificateWish& w) { w.valid_until = -60; })),
            "certificate has expired");
  EXPECT_EQ(verdict(bad([](CertificateWish& w) { w.valid_from = 1800; })),
            "certificate is not yet valid");
  EXPECT_EQ(verdict(bad([](CertificateWish& w) { w.dns_names = {"dns.example.net"}; })),
            "hostname mismatch");
  EXPECT_EQ(verdict(bad([](CertificateWish& w) { w.dns_names = {"*.*.org"}; })),
            "hostname mismatch");
  EXPECT_EQ(verdict(bad([](CertificateWish& w) { w.dns_names = {}; })), "hostname mismatch")
      << "CN alone";
  EXPECT_EQ(verdict(server_with(certificate_for("dns.example.org"))), "self-signed certificate");
  const KeyedCertificate other_root = certificate_for("root.example", nullptr, true);
  EXPECT_NE(verdict(server_with(certificate_for("dns.example.org", &other_root))), "ok");
  const KeyedCertificate no_authority = certificate_for("middle.example", &root_);
  EXPECT_EQ(
      verdict(server_with(certificate_for("dns.example.org", &no_authority), {&no_authority})),
      "invalid CA certificate");
}

TEST_F(Client, AddressIsVerifiedInTheSanAndNotSentAsServerName) {
  upstream_.tls_name = "192.0.2.53";
  const auto with = [&](std::vector<std::string> addresses) {
    return server_with(make_certificate(
        {.common_name = "x", .dns_names = {"x.example"}, .addresses = std::move(addresses)},
        &root_));
  };
  EXPECT_EQ(verdict(with({"192.0.2.53"})), "ok");
  EXPECT_EQ(verdict(with({"192.0.2.54"})), "IP address mismatch");
  EXPECT_EQ(verdict(with({})), "IP address mismatch");
  const auto made = context();
  EXPECT_EQ(SSL_get_servername(made->make_session()->get(), TLSEXT_NAMETYPE_host_name),
            nullptr);  // RFC 6066 §3
}

TEST_F(Client, Rfc8310_9_OldVersionsAreRefused) {
  const auto made = context();
  const MemoryHandshake old(
      *made->make_session(),
      server_with(certificate_for("dns.example.org", &root_), {}, TLS1_1_VERSION));
  EXPECT_FALSE(old.done());
  const MemoryHandshake tls12(
      *made->make_session(),
      server_with(certificate_for("dns.example.org", &root_), {}, TLS1_2_VERSION));
  EXPECT_TRUE(tls12.done());
}

TEST_F(Client, Rfc7858_4_2_PinOfTheLeafNeedsNoAuthority) {
  const KeyedCertificate leaf = certificate_for("anything.example");
  upstream_.tls_name.clear();
  upstream_.ca_file.clear();
  upstream_.pins = {spki_pin(*root_.certificate), spki_pin(*leaf.certificate)};
  EXPECT_EQ(verdict(server_with(leaf)), "ok");
  EXPECT_EQ(verdict(server_with(certificate_for("anything.example"))),
            "application verification failure");
}

TEST_F(Client, Rfc7858_4_2_PinOfAnIssuerNeedsItsSignature) {
  const KeyedCertificate leaf = certificate_for("dns.example.org", &root_);
  const KeyedCertificate forged = certificate_for("dns.example.org");
  upstream_.pins = {spki_pin(*root_.certificate)};
  EXPECT_EQ(verdict(server_with(leaf, {&root_})), "ok");
  EXPECT_NE(verdict(server_with(forged, {&root_})), "ok")
      << "anybody can send the pinned certificate along";
}

TEST_F(Client, SpkiPinIsBase64OfSha256) {
  // openssl x509 -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64
  const std::string pin = spki_pin(*root_.certificate);
  EXPECT_EQ(pin.size(), 44U);
  EXPECT_EQ(pin.back(), '=');
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(root_.key.get(), &der);
  std::array<unsigned char, 32> digest{};
  EVP_Q_digest(nullptr, "SHA256", nullptr, der, static_cast<std::size_t>(size), digest.data(),
               nullptr);
  OPENSSL_free(der);
  std::array<unsigned char, 48> text{};
  EVP_EncodeBlock(text.data(), digest.data(), digest.size());
  EXPECT_EQ(pin, reinterpret_cast<char*>(text.data()));
}

TEST_F(Client, WhatCannotBeVerifiedByIsRefusedWithASentence) {
  const auto refusal = [this] {
    const auto made = ClientContext::make(upstream_, authorities_);
    return made ? "none" : made.error();
  };
  upstream_.ca_file = directory_.file("no.pem");
  EXPECT_EQ(refusal().find(upstream_.ca_file + ": cannot be read as PEM certificates: "), 0U);
  upstream_.ca_file.clear();
  upstream_.tls_name.clear();
  EXPECT_EQ(refusal(), upstream_.url + ": neither a name nor a pin to verify the server by");
  upstream_.pins = {"c2hvcnQ="};
  EXPECT_EQ(refusal(), upstream_.url + ": `c2hvcnQ=` is not a base64 SHA-256 pin");
}

TEST_F(Client, Rfc8446_C_4_SessionIsUsedOnceAndTheNewestFirst) {
  const KeyedCertificate leaf = certificate_for("dns.example.org", &root_);
  const auto identity =
      parse_identity(leaf.certificate_pem(), test::key_pem(leaf), std::time(nullptr));
  const SslContextPtr server =
      *make_server_context({}, *identity, std::make_shared<TicketKeys>(std::chrono::hours(12)));
  const auto made = context();
  EXPECT_EQ(made->session_count(), 0U);
  for (int i = 0; i < 3; ++i) {
    SslPtr session = *made->make_session();
    EXPECT_EQ(made->session_count(), 0U) << "taken, not lent";
    const MemoryHandshake handshake(std::move(session), make_server_session(*server, alpn_dot));
    ASSERT_TRUE(handshake.done());
    EXPECT_EQ(handshake.resumed(), i != 0);
    EXPECT_EQ(made->session_count(), 1U);
  }
  made->forget_sessions();
  const MemoryHandshake fresh(*made->make_session(), make_server_session(*server, alpn_dot));
  EXPECT_FALSE(fresh.resumed());
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(fresh.client(), &name, &size);
  EXPECT_EQ(base::as_text({name, size}), "dot");
}

TEST_F(Client, SessionsAreBounded) {
  const KeyedCertificate leaf = certificate_for("dns.example.org", &root_);
  const auto identity =
      parse_identity(leaf.certificate_pem(), test::key_pem(leaf), std::time(nullptr));
  const SslContextPtr server =
      *make_server_context({}, *identity, std::make_shared<TicketKeys>(std::chrono::hours(12)));
  SSL_CTX_set_num_tickets(server.get(), 20);
  const auto made = context();
  const MemoryHandshake handshake(*made->make_session(), make_server_session(*server, alpn_dot));
  EXPECT_EQ(made->session_count(), 4U);
}

TEST(Authorities, SystemBundleIsFoundWhereTheEnvironmentSays) {
  const test::Directory directory;
  const std::string bundle = directory.file("bundle.pem");
  ASSERT_TRUE(write_atomically(
      bundle, certificate_for("root.example", nullptr, true).certificate_pem(), 0644));
  ::setenv("SSL_CERT_FILE", bundle.c_str(), 1);
  Authorities authorities;
  const auto first = authorities.load("");
  const auto second = authorities.load("");
  ::unsetenv("SSL_CERT_FILE");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->get(), second->get()) << "read once";
}

}  // namespace
}  // namespace certs
