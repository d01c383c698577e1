// Loading, refusing, watching and swapping identities.
#include "certs/store.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/certs/memory_handshake.h"
#include "tests/certs/pem_files.h"

namespace certs {
namespace {

using test::certificate_for;
using test::key_pem;
using test::MemoryHandshake;

constexpr std::time_t day = 24 * 60 * 60;

class Certificates : public testing::Test {
 protected:
  Certificates() {
    config_.server.state_directory = directory_.file("state");
    config_.server.listen.push_back(
        {conf::Protocol::dot, {*base::Address::from_text("127.0.0.1"), 853}, ""});
  }
  std::unique_ptr<Store> open() {
    auto made = Store::open(config_, log_, [this] { return now_.load(); });
    EXPECT_TRUE(made) << made.error().front();
    return std::move(*made);
  }
  conf::Certificate write(const std::string& stem, const std::string& name) const {
    const auto made = certificate_for(name);
    return directory_.write_pair(stem, made.certificate_pem(), key_pem(made));
  }

  test::Directory directory_;
  base::Log log_{{.level = base::LogLevel::off}};
  conf::Config config_;
  std::atomic<std::time_t> now_{std::time(nullptr)};
};

TEST_F(Certificates, WithoutAnyThereIsAnInternalOne) {
  config_.server.name = "dns.example.org";
  const auto store = open();
  const auto facts = store->facts();
  ASSERT_EQ(facts.size(), 1U);
  EXPECT_TRUE(facts[0].internal);
  EXPECT_EQ(facts[0].name, "dns.example.org");
  EXPECT_EQ(store->authority_file(), directory_.file("state/ca.pem"));
  EXPECT_TRUE(std::filesystem::exists(store->authority_file()));
  EXPECT_TRUE(store->make_session(alpn_dot));
}

TEST_F(Certificates, AConnectionGoesOnWithoutTheKeyShareOfItsHandshake) {
  const auto store = open();
  for (const char* group : {"X25519MLKEM768", "X25519", "P-256"}) {
    const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set1_groups_list(context.get(), group);
    SslPtr asking(SSL_new(context.get()));
    SSL_set_connect_state(asking.get());
    const MemoryHandshake both(std::move(asking), store->make_session(alpn_dot));
    ASSERT_TRUE(both.done()) << group;
    forget_key_share(*both.server());
    forget_key_share(*both.server());
    std::array<char, 4> octets{};
    EXPECT_EQ(SSL_write(both.server(), "pong", 4), 4);
    EXPECT_EQ(SSL_read(both.client(), octets.data(), 4), 4);
    EXPECT_EQ(SSL_key_update(both.client(), SSL_KEY_UPDATE_REQUESTED), 1);
    EXPECT_EQ(SSL_write(both.client(), "ping", 4), 4);
    EXPECT_EQ(SSL_read(both.server(), octets.data(), 4), 4);
    EXPECT_STRNE(SSL_get0_group_name(both.server()), nullptr);
  }
}

TEST_F(Certificates, WithoutEncryptedListenersNothingIsMade) {
  config_.server.listen.front().protocol = conf::Protocol::udp;
  const auto store = open();
  EXPECT_TRUE(store->facts().empty());
  EXPECT_FALSE(std::filesystem::exists(directory_.file("state")));
  EXPECT_FALSE(store->make_session(alpn_dot));
}

TEST_F(Certificates, OperatorsCertificatesStandForTheInternalOne) {
  config_.certificates.push_back(write("one", "dns.example.org"));
  const auto store = open();
  ASSERT_EQ(store->facts().size(), 1U);
  EXPECT_FALSE(store->facts()[0].internal);
  EXPECT_EQ(store->authority_file(), "");
  EXPECT_FALSE(std::filesystem::exists(directory_.file("state")));
}

TEST_F(Certificates, EveryBadPairIsToldAtOnce) {
  config_.certificates.push_back({directory_.file("no.pem"), directory_.file("no.key")});
  const auto one = certificate_for("one.example");
  const auto two = certificate_for("two.example");
  config_.certificates.push_back(
      directory_.write_pair("mixed", one.certificate_pem(), key_pem(two)));
  config_.certificates.push_back(write("good", "dns.example.org"));
  const auto made = Store::open(config_, log_);
  ASSERT_FALSE(made);
  ASSERT_EQ(made.error().size(), 2U);
  EXPECT_EQ(made.error()[0], directory_.file("no.pem") + ": No such file or directory");
  EXPECT_EQ(made.error()[1], directory_.file("mixed.pem") + " with " +
                                 directory_.file("mixed.key") +
                                 ": the key does not belong to the first certificate of the chain");
}

TEST_F(Certificates, ChangedPairIsTaken) {
  config_.certificates.push_back(write("one", "first.example"));
  const auto store = open();
  store->look_again();
  EXPECT_EQ(store->facts()[0].name, "first.example");
  write("one", "second.example");
  store->look_again();
  EXPECT_EQ(store->facts()[0].name, "second.example");
}

TEST_F(Certificates, BadPairIsRefusedTheOldStaysAndTheNextGoodOneIsTaken) {
  config_.certificates.push_back(write("one", "first.example"));
  config_.certificates.push_back(write("two", "other.example"));
  const auto store = open();
  const auto one = certificate_for("half.example");
  ASSERT_TRUE(write_atomically(config_.certificates[0].chain_file, one.certificate_pem(), 0644));
  write("two", "renewed.example");
  for (int i = 0; i < 3; ++i) store->look_again();
  EXPECT_EQ(store->facts()[0].name, "first.example");
  EXPECT_EQ(store->facts()[1].name, "renewed.example") << "the good one is not held up";
  ASSERT_TRUE(write_atomically(config_.certificates[0].key_file, key_pem(one), 0600));
  store->look_again();
  EXPECT_EQ(store->facts()[0].name, "half.example") << "the key has come, too";
}

TEST_F(Certificates, FileThatGoesAwayLeavesTheOldInUse) {
  config_.certificates.push_back(write("one", "first.example"));
  const auto store = open();
  std::filesystem::remove(config_.certificates[0].key_file);
  store->look_again();
  EXPECT_EQ(store->facts()[0].name, "first.example");
  EXPECT_TRUE(store->make_session(alpn_dot));
}

TEST_F(Certificates, InternalLeafIsRenewedInTime) {
  const auto store = open();
  const auto first = store->facts()[0];
  now_ += 200 * day;
  store->look_again();
  EXPECT_EQ(store->facts()[0].fingerprint, first.fingerprint);
  now_ += 100 * day;
  store->look_again();
  EXPECT_NE(store->facts()[0].fingerprint, first.fingerprint);
  EXPECT_GT(store->facts()[0].not_after, first.not_after);
}

TEST_F(Certificates, ReloadTakesAllOrNothing) {
  config_.certificates.push_back(write("one", "first.example"));
  const auto store = open();
  conf::Config next = config_;
  next.certificates = {write("two", "second.example"),
                       {directory_.file("no.pem"), directory_.file("no.key")}};
  EXPECT_FALSE(store->replace(next));
  ASSERT_EQ(store->facts().size(), 1U);
  EXPECT_EQ(store->facts()[0].name, "first.example");
  next.certificates.pop_back();
  EXPECT_TRUE(store->replace(next));
  EXPECT_EQ(store->facts()[0].name, "second.example");
}

TEST_F(Certificates, WatchingThreadTakesTheChange) {
  config_.certificates.push_back(write("one", "first.example"));
  const auto store = open();
  store->watch(std::chrono::milliseconds(5));
  write("one", "second.example");
  for (int i = 0; i < 2000 && store->facts()[0].name != "second.example"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(store->facts()[0].name, "second.example");
}

TEST_F(Certificates, HandshakesGoOnWhileIdentitiesAreSwapped) {
  config_.certificates.push_back(write("one", "first.example"));
  const auto store = open();
  store->watch(std::chrono::milliseconds(1));
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
      for (int round = 0; round < 20; ++round) {
        SslPtr client(SSL_new(context.get()));
        SSL_set_connect_state(client.get());
        done += MemoryHandshake(std::move(client), store->make_session(alpn_dot)).done() ? 1 : 0;
      }
    });
  }
  for (int i = 0; i < 10; ++i) write("one", "name" + std::to_string(i) + ".example");
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 60);
}

}  // namespace
}  // namespace certs
