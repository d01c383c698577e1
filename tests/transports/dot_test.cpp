// What DoT has beyond TCP: handshakes, ALPN, versions, groups, tickets, certificates. RFC 7858, RFC
// 8310, RFC 8446, RFC 7301, RFC 9325.
#include "transports/listeners/stream.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/tls1.h>
#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "tests/gateway/temporary_directory.h"
#include "tests/support/test_certificates.h"
#include "tests/transports/stream_client.h"
#include "tests/transports/worker_fixture.h"

namespace transports {
namespace {

using namespace std::chrono_literals;
using test::framed;
using test::Octets;
using test::operator+;
using test::query_for;
using test::StreamClient;
using test::TlsWish;
using test::Worker;

const std::string dot_alpn(
    "\x03"
    "dot");
const std::string other_alpn(
    "\x02"
    "h2\x08"
    "http/1.1");

class Dot : public testing::Test {
 protected:
  Dot() {
    config_.server.state_directory = directory_.file("state");
    config_.server.listen.push_back(
        {conf::Protocol::dot, {*base::Address::from_text("127.0.0.1"), 853}, ""});
  }
  void start() {
    certificates_ = *certs::Store::open(config_, log_);
    worker_ = std::make_unique<Worker>(limits_, certificates_.get());
    server_ = worker_->listen("tls://127.0.0.1:0");
  }
  [[nodiscard]] std::unique_ptr<StreamClient> client(const TlsWish& wish = {}) const {
    return std::make_unique<StreamClient>(server_, wish);
  }
  static bool asks_well(StreamClient& client) {
    return client.send(framed(query_for("now.", 1))) && client.receive().has_value();
  }
  [[nodiscard]] double handshakes(const base::Labels& labels) const {
    return worker_->registry.total("sallyport_tls_handshakes_total", labels);
  }
  [[nodiscard]] static std::string name_of(const StreamClient& client) {
    const certs::CertificatePtr certificate(SSL_get1_peer_certificate(client.tls()));
    char name[256] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                              sizeof name);
    return name;
  }

  gateway::TemporaryDirectory directory_;
  base::Log log_{{.level = base::LogLevel::off}};
  conf::Config config_;
  conf::Limits limits_;
  std::unique_ptr<certs::Store> certificates_;
  std::unique_ptr<Worker> worker_;
  base::Endpoint server_;
};

TEST_F(Dot, Rfc7858_3_1_CleartextIsNeverAnsweredByDns) {
  start();
  StreamClient plain(server_);
  const Octets query = framed(query_for("now.", 1));
  plain.send_raw(query + query + query);
  Octets got(4096);
  std::size_t size = 0;
  for (;;) {
    const ssize_t count = ::recv(plain.descriptor(), got.data() + size, got.size() - size, 0);
    if (count <= 0) break;
    size += static_cast<std::size_t>(count);
  }
  constexpr std::uint8_t alert_record = 21;
  if (size != 0) {
    EXPECT_EQ(got[0], alert_record);
    EXPECT_EQ(size, 7U);
  }
  EXPECT_EQ(worker_->answerer.asked_now, 0);
  EXPECT_TRUE(Worker::eventually([&] { return handshakes({{"result", "failed"}}) == 1; }));
  EXPECT_TRUE(asks_well(*client()))
      << "what one connection left in OpenSSL's queue is not another's";
}

TEST_F(Dot, Rfc7301_3_2_AlpnDotIsTakenNoneIsTakenOthersAreRefused) {
  start();
  const auto with = client({.alpn = dot_alpn});
  ASSERT_TRUE(with->connected());
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(with->tls(), &name, &size);
  EXPECT_EQ(base::as_text({name, size}), "dot");
  EXPECT_TRUE(asks_well(*with));
  EXPECT_TRUE(client({.alpn = other_alpn + dot_alpn})->connected());
  EXPECT_TRUE(asks_well(*client()));
  const auto refused = client({.alpn = other_alpn});
  EXPECT_FALSE(refused->connected());
  EXPECT_EQ(refused->alert(), TLS1_AD_NO_APPLICATION_PROTOCOL);
}

TEST_F(Dot, Rfc9325_3_1_1_VersionsBeforeTls12AreRefused) {
  start();
  const auto old = client({.most_version = TLS1_1_VERSION});
  EXPECT_FALSE(old->connected());
  EXPECT_EQ(old->alert(), TLS1_AD_PROTOCOL_VERSION);
  const auto tls12 = client({.most_version = TLS1_2_VERSION});
  ASSERT_TRUE(tls12->connected());
  EXPECT_TRUE(asks_well(*tls12));
  EXPECT_STREQ(SSL_get_cipher_name(tls12->tls()), "ECDHE-ECDSA-AES128-GCM-SHA256");
  EXPECT_TRUE(asks_well(*client()));
  EXPECT_EQ(handshakes({{"version", "TLSv1.3"}, {"result", "ok"}}), 1);
  EXPECT_EQ(handshakes({{"version", "TLSv1.2"}, {"result", "ok"}}), 1);
}

TEST_F(Dot, MinimumVersionIsTheOperators) {
  config_.tls.minimum_version = "1.3";
  start();
  EXPECT_FALSE(client({.most_version = TLS1_2_VERSION})->connected());
  EXPECT_TRUE(asks_well(*client()));
}

TEST_F(Dot, PostQuantumGroupComesFirstAndPlainOnesAreTaken) {
  start();
  EXPECT_TRUE(asks_well(*client()));
  EXPECT_EQ(handshakes({{"group", "X25519MLKEM768"}}), 1);
  EXPECT_TRUE(asks_well(*client({.groups = "X25519"})));
  EXPECT_EQ(handshakes({{"group", "x25519"}}), 1);
  EXPECT_TRUE(asks_well(*client({.groups = "P-256"})));
  EXPECT_EQ(handshakes({{"group", "secp256r1"}}), 1);
  EXPECT_FALSE(client({.groups = "P-384"})->connected());
}

TEST_F(Dot, Rfc8446_4_6_1_TicketsResumeAndBringTheNext) {
  start();
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    auto first = client({.most_version = version});
    ASSERT_TRUE(asks_well(*first));
    certs::SessionPtr session = std::move(first->session());
    ASSERT_TRUE(session);
    for (int i = 0; i < 3; ++i) {
      const auto next = client({.most_version = version, .session = session.get()});
      ASSERT_TRUE(next->connected());
      EXPECT_EQ(SSL_session_reused(next->tls()), 1) << version << " round " << i;
      ASSERT_TRUE(asks_well(*next));
      if (version == TLS1_3_VERSION) {
        ASSERT_TRUE(next->session()) << "a ticket is for one use";
        session = std::move(next->session());
      }
    }
  }
  EXPECT_EQ(handshakes({{"resumed", "true"}}), 6);
  EXPECT_EQ(handshakes({{"resumed", "false"}}), 2);
}

TEST_F(Dot, Rfc7858_3_4_ClientThatEndsWithoutCloseNotifyGetsItsAnswers) {
  start();
  const auto asking = client();
  ASSERT_TRUE(asking->send(framed(query_for("wait.", 1)) + framed(query_for("now.", 2))));
  asking->cut_off();
  EXPECT_TRUE(asking->receive());
  ASSERT_TRUE(Worker::eventually([&] { return worker_->answerer.waiting == 1; }));
  const auto other = client();
  ASSERT_TRUE(other->send(framed(query_for("go.", 3))));
  EXPECT_TRUE(asking->receive());
  EXPECT_TRUE(asking->ends());
}

TEST_F(Dot, SilentConnectionEndsAfterTheHandshakeTimeout) {
  limits_.handshake_timeout = 100ms;
  start();
  StreamClient silent(server_);
  EXPECT_TRUE(silent.ends());
  StreamClient half(server_);
  half.send_raw({0x16, 0x03, 0x01});
  EXPECT_TRUE(half.ends());
  EXPECT_TRUE(Worker::eventually([&] { return handshakes({{"result", "timeout"}}) == 2; }));
}

/// A handshake whose octets go to the server one by one; `between` is called before the hundredth.
/// Gives the common name of the server's certificate, empty when it failed.
std::string shake_hands_slowly(const base::Endpoint& server, const std::function<void()>& between) {
  const certs::SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  const certs::SslPtr ssl(SSL_new(context.get()));
  BIO* inner = nullptr;
  BIO* outer_raw = nullptr;
  BIO_new_bio_pair(&inner, 0, &outer_raw, 0);
  const certs::BioPtr outer(outer_raw);
  SSL_set_bio(ssl.get(), inner, inner);
  const StreamClient wire(server);
  int sent = 0;
  for (int turn = 0; turn < 100 && SSL_connect(ssl.get()) != 1; ++turn) {
    Octets out(16384);
    const int size = BIO_read(outer.get(), out.data(), static_cast<int>(out.size()));
    for (int i = 0; i < size; ++i) {
      if (++sent == 100) between();
      wire.send_raw({out[static_cast<std::size_t>(i)]});
    }
    const ssize_t count = ::recv(wire.descriptor(), out.data(), out.size(), 0);
    if (count <= 0) return {};
    BIO_write(outer.get(), out.data(), static_cast<int>(count));
  }
  if (!SSL_is_init_finished(ssl.get())) return {};
  const certs::CertificatePtr certificate(SSL_get1_peer_certificate(ssl.get()));
  char name[256] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                            sizeof name);
  return name;
}

TEST_F(Dot, HandshakeMayComeOctetByOctet) {
  start();
  EXPECT_EQ(shake_hands_slowly(server_, [] {}), "localhost");
}

TEST_F(Dot, Rfc8310_8_1_InternalAuthorityVerifiesByNameAndAddress) {
  config_.server.name = "dns.example.org";
  start();
  const std::string authority = certificates_->authority_file();
  const auto by_name = client({.server_name = "dns.example.org", .authority_file = authority});
  ASSERT_TRUE(by_name->connected());
  EXPECT_EQ(SSL_get_verify_result(by_name->tls()), X509_V_OK);
  EXPECT_FALSE(
      client({.server_name = "dns.example.net", .authority_file = authority})->connected());
  const certs::CertificatePtr leaf(SSL_get1_peer_certificate(by_name->tls()));
  EXPECT_EQ(X509_check_ip_asc(leaf.get(), "127.0.0.1", 0), 1);
}

/// Writes a pair as renewal tools do: each file as a whole, under its name at once.
struct OperatorPair {
  OperatorPair(const gateway::TemporaryDirectory& directory, const std::string& stem)
      : files{directory.file(stem + ".pem"), directory.file(stem + ".key")} {}

  void write(const test_support::KeyedCertificate& made) const { write(made, made); }
  void write(const test_support::KeyedCertificate& chain,
             const test_support::KeyedCertificate& key) const {
    const certs::BioPtr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(out.get(), key.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    ASSERT_TRUE(
        certs::write_atomically(files.key_file, {data, static_cast<std::size_t>(size)}, 0600));
    ASSERT_TRUE(certs::write_atomically(files.chain_file, chain.certificate_pem(), 0644));
  }

  conf::Certificate files;
};

test_support::KeyedCertificate certificate_for(const std::string& common_name,
                                               const std::string& name) {
  return test_support::make_certificate(
      {.common_name = common_name, .dns_names = {name}, .addresses = {}});
}

TEST_F(Dot, NewCertificateIsSwappedInWhileConnectionsLive) {
  const OperatorPair pair(directory_, "server");
  pair.write(certificate_for("first", "dns.example.org"));
  config_.certificates.push_back(pair.files);
  start();
  const auto living = client();
  EXPECT_EQ(name_of(*living), "first");
  ASSERT_TRUE(asks_well(*living));
  pair.write(certificate_for("second", "dns.example.org"));
  certificates_->look_again();
  EXPECT_EQ(name_of(*client()), "second");
  EXPECT_TRUE(asks_well(*living)) << "not lost by the swap";
}

TEST_F(Dot, HandshakeUnderWaySurvivesTheSwap) {
  const OperatorPair pair(directory_, "server");
  const OperatorPair other(directory_, "other");
  pair.write(certificate_for("first", "dns.example.org"));
  other.write(certificate_for("other", "dns.example.net"));
  config_.certificates = {pair.files, other.files};
  start();
  const std::string name = shake_hands_slowly(server_, [&] {
    EXPECT_TRUE(
        Worker::eventually([&] { return worker_->sessions.open(conf::Protocol::dot) == 1; }));
    for (const char* common_name : {"second", "third"}) {
      pair.write(certificate_for(common_name, "dns.example.org"));
      certificates_->look_again();
    }
  });
  EXPECT_TRUE(name == "first" || name == "third") << name << ": one set or the other, whole";
  EXPECT_EQ(name_of(*client()), "third");
}

TEST_F(Dot, TicketsResumeAcrossASwap) {
  const OperatorPair pair(directory_, "server");
  pair.write(certificate_for("first", "dns.example.org"));
  config_.certificates.push_back(pair.files);
  start();
  const auto first = client();
  ASSERT_TRUE(asks_well(*first));
  pair.write(certificate_for("second", "dns.example.org"));
  certificates_->look_again();
  const auto next = client({.session = first->session().get()});
  ASSERT_TRUE(next->connected());
  EXPECT_EQ(SSL_session_reused(next->tls()), 1);
}

TEST_F(Dot, Rfc6066_3_IdentityIsChosenByServerName) {
  const OperatorPair one(directory_, "one");
  const OperatorPair two(directory_, "two");
  const OperatorPair three(directory_, "three");
  one.write(certificate_for("one", "dns.example.org"));
  two.write(certificate_for("wildcard", "*.example.net"));
  three.write(certificate_for("exact", "dns.example.net"));
  for (const auto* pair : {&one, &two, &three}) config_.certificates.push_back(pair->files);
  start();
  const auto asked_as = [&](const std::string& name) {
    const auto asking = client({.server_name = name});
    EXPECT_TRUE(asks_well(*asking));
    return name_of(*asking);
  };
  EXPECT_EQ(asked_as("dns.example.org"), "one");
  EXPECT_EQ(asked_as("DNS.example.NET"), "exact");
  EXPECT_EQ(asked_as("other.example.net"), "wildcard");
  EXPECT_EQ(asked_as("a.b.example.net"), "one") << "a wildcard is one label";
  EXPECT_EQ(asked_as("unknown.example"), "one");
  EXPECT_EQ(name_of(*client()), "one");
}

}  // namespace
}  // namespace transports
