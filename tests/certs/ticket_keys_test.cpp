// Tickets on a clock that the test turns: what resumes, and for how long. RFC 8446 §4.6.1, RFC 9325
// §3.4.
#include "certs/ticket_keys.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "certs/tls_context.h"
#include "tests/certs/memory_handshake.h"
#include "tests/certs/pem_files.h"

namespace certs {
namespace {

using namespace std::chrono_literals;
using test::MemoryHandshake;

class Tickets : public testing::TestWithParam<int> {
 protected:
  Tickets() {
    const auto made = test::certificate_for("dns.example.org");
    const auto identity =
        parse_identity(made.certificate_pem(), test::key_pem(made), std::time(nullptr));
    server_ = *make_server_context({}, *identity, keys_);
    client_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_max_proto_version(client_.get(), GetParam());
    SSL_CTX_set_session_cache_mode(client_.get(),
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_app_data(client_.get(), this);
    SSL_CTX_sess_set_new_cb(client_.get(), [](SSL* ssl, SSL_SESSION* session) {
      static_cast<Tickets*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->session_.reset(session);
      return 1;
    });
  }

  /// True when `session` was resumed; session_ is the newest then.
  bool resumes(SSL_SESSION* session) {
    SslPtr client(SSL_new(client_.get()));
    SSL_set_connect_state(client.get());
    if (session != nullptr) SSL_set_session(client.get(), session);
    const MemoryHandshake handshake(std::move(client), make_server_session(*server_, alpn_dot));
    EXPECT_TRUE(handshake.done());
    // OpenSSL's callback tells nothing of a ticket that comes with a resumption of TLS 1.2.
    if (!session_) session_.reset(SSL_get1_session(handshake.client()));
    return handshake.resumed();
  }
  certs::SessionPtr full_handshake() {
    EXPECT_FALSE(resumes(nullptr));
    return std::move(session_);
  }

  base::TimePoint now_{base::TimePoint{} + 1h};
  std::shared_ptr<const TicketKeys> keys_ =
      std::make_shared<TicketKeys>(12h, [this] { return now_; });
  SslContextPtr server_;
  SslContextPtr client_;
  SessionPtr session_;
};

INSTANTIATE_TEST_SUITE_P(Versions, Tickets, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& info) {
                           return info.param == TLS1_3_VERSION ? "Tls13" : "Tls12";
                         });

TEST_P(Tickets, OfTheCurrentKeyResume) {
  const SessionPtr session = full_handshake();
  ASSERT_TRUE(session);
  now_ += 11h;
  EXPECT_TRUE(resumes(session.get()));
}

TEST_P(Tickets, OfThePreviousKeyResumeAndAreReplaced) {
  SessionPtr session = full_handshake();
  now_ += 13h;
  EXPECT_TRUE(resumes(session.get()));
  session = std::move(session_);
  now_ += 12h;
  EXPECT_TRUE(resumes(session.get())) << "what replaced it is under the key that was current then";
}

TEST_P(Tickets, AfterTwoRotationsMakeAFullHandshake) {
  const SessionPtr session = full_handshake();
  now_ += 13h;
  full_handshake();
  now_ += 12h;
  EXPECT_FALSE(resumes(session.get()));
  const SessionPtr next = std::move(session_);
  EXPECT_TRUE(resumes(next.get())) << "which brings a ticket that is good";
}

TEST_P(Tickets, AKeyOpensNothingTwiceItsTimeAfterItWasMadeHoweverQuietItWas) {
  const SessionPtr session = full_handshake();
  now_ += 24h;
  EXPECT_FALSE(resumes(session.get()));
}

TEST_P(Tickets, PreviousKeyEndsEvenWhileTheCurrentLives) {
  const SessionPtr session = full_handshake();
  now_ += 20h;  // the first use after 12 h makes the second key
  full_handshake();
  now_ += 4h;  // the first key is 24 h old, the second 4 h
  EXPECT_FALSE(resumes(session.get()));
}

TEST_P(Tickets, OfAnotherServerMakeAFullHandshake) {
  const SessionPtr session = full_handshake();
  const auto made = test::certificate_for("dns.example.org");
  const auto identity =
      parse_identity(made.certificate_pem(), test::key_pem(made), std::time(nullptr));
  server_ = *make_server_context({}, *identity, std::make_shared<TicketKeys>(12h));
  EXPECT_FALSE(resumes(session.get()));
}

TEST(TicketKeys, ManyThreadsShareOneSet) {
  const auto made = test::certificate_for("dns.example.org");
  const auto identity =
      parse_identity(made.certificate_pem(), test::key_pem(made), std::time(nullptr));
  std::atomic<int> hour{0};
  const auto keys = std::make_shared<TicketKeys>(
      12h, [&] { return base::TimePoint{} + std::chrono::hours(++hour); });
  const SslContextPtr server = *make_server_context({}, *identity, keys);
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
      for (int round = 0; round < 10; ++round) {
        SslPtr client(SSL_new(context.get()));
        SSL_set_connect_state(client.get());
        done += MemoryHandshake(std::move(client), make_server_session(*server, alpn_dot)).done()
                    ? 1
                    : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 40);
}

}  // namespace
}  // namespace certs
