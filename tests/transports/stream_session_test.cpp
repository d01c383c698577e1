// Sessions over TCP and DoT with real sockets: each test runs over both. RFC 7766, RFC 7858, RFC
// 9210.
#include "transports/stream_session.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/gateway/temporary_directory.h"
#include "tests/transports/stream_client.h"
#include "tests/transports/worker_fixture.h"

namespace transports {
namespace {

using namespace std::chrono_literals;
using test::framed;
using test::id_of;
using test::operator+;
using test::Octets;
using test::query_for;
using test::rcode_of;
using test::StreamClient;
using test::TlsWish;
using test::Worker;

class StreamSessions : public testing::TestWithParam<conf::Protocol> {
 protected:
  StreamSessions() {
    if (!encrypted()) return;
    conf::Config config;
    config.server.state_directory = directory_.file("state");
    config.server.listen.push_back(
        {conf::Protocol::dot, {*base::Address::from_text("127.0.0.1"), 853}, ""});
    certificates_ = *certs::Store::open(config, log_);
  }
  [[nodiscard]] static bool encrypted() { return conf::row_of(GetParam()).encrypted; }

  void start() {
    worker_ = std::make_unique<Worker>(limits_, certificates_.get());
    server_ = worker_->listen(std::string(conf::row_of(GetParam()).scheme) + "://127.0.0.1:0");
  }
  [[nodiscard]] std::unique_ptr<StreamClient> client() const {
    return std::make_unique<StreamClient>(server_,
                                          encrypted() ? std::optional(TlsWish{}) : std::nullopt);
  }
  [[nodiscard]] bool waits(int queries) const {
    return Worker::eventually([&] { return worker_->answerer.waiting == queries; });
  }
  void release() const {
    const auto other = client();
    ASSERT_TRUE(other->send(framed(query_for("go.", 1))));
    ASSERT_TRUE(other->receive());
  }

  gateway::TemporaryDirectory directory_;
  base::Log log_{{.level = base::LogLevel::off}};
  std::unique_ptr<certs::Store> certificates_;
  conf::Limits limits_;
  std::unique_ptr<Worker> worker_;
  base::Endpoint server_;
};

INSTANTIATE_TEST_SUITE_P(Over, StreamSessions,
                         testing::Values(conf::Protocol::tcp, conf::Protocol::dot),
                         [](const auto& info) {
                           return std::string(conf::row_of(info.param).name);
                         });

TEST_P(StreamSessions, Rfc7766_6_2_1_1_PipelinedQueriesAreAnsweredInOneWrite) {
  start();
  const auto asking = client();
  Octets all;
  for (std::uint16_t id = 0; id < 100; ++id) all = all + framed(query_for("now.", id));
  ASSERT_TRUE(asking->send(all));
  for (std::uint16_t id = 0; id < 100; ++id) {
    const auto answer = asking->receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(id_of(*answer), id);
    EXPECT_EQ(rcode_of(*answer), dns::Rcode::noerror);
  }
  if (encrypted()) EXPECT_EQ(asking->records(), 1) << "one record came in, one goes out";
}

TEST_P(StreamSessions, Rfc7766_8_MessageSplitAtEveryOctet) {
  start();
  const auto asking = client();
  const Octets two = framed(query_for("now.", 1)) + framed(query_for("now.", 2));
  for (std::size_t cut = 0; cut <= two.size(); ++cut) {
    const auto at = two.begin() + static_cast<std::ptrdiff_t>(cut);
    if (cut != 0) ASSERT_TRUE(asking->send({two.begin(), at}));
    const int seen = worker_->answerer.asked_now;
    if (cut != two.size()) ASSERT_TRUE(asking->send({at, two.end()}));
    EXPECT_LE(seen, static_cast<int>(2 * cut + 2));
    for (std::uint16_t id = 1; id <= 2; ++id) {
      const auto answer = asking->receive();
      ASSERT_TRUE(answer) << "cut at " << cut;
      EXPECT_EQ(id_of(*answer), id);
    }
  }
}

TEST_P(StreamSessions, Rfc7766_8_EachOctetByItself) {
  start();
  const auto asking = client();
  for (const std::uint8_t octet : framed(query_for("now.", 7))) ASSERT_TRUE(asking->send({octet}));
  const auto answer = asking->receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(id_of(*answer), 7);
}

TEST_P(StreamSessions, Rfc7766_7_AnswersComeAsTheyGetReady) {
  start();
  const auto asking = client();
  ASSERT_TRUE(asking->send(framed(query_for("wait.", 1)) + framed(query_for("soon.", 2)) +
                           framed(query_for("now.", 3))));
  std::set<std::uint16_t> first;
  for (int i = 0; i < 2; ++i) {
    const auto answer = asking->receive();
    ASSERT_TRUE(answer);
    first.insert(id_of(*answer));
  }
  EXPECT_EQ(first, (std::set<std::uint16_t>{2, 3}));
  ASSERT_TRUE(waits(1));
  ASSERT_TRUE(asking->send(framed(query_for("go.", 4))));
  std::set<std::uint16_t> then;
  for (int i = 0; i < 2; ++i) {
    const auto answer = asking->receive();
    ASSERT_TRUE(answer);
    then.insert(id_of(*answer));
  }
  EXPECT_EQ(then, (std::set<std::uint16_t>{1, 4}));
}

TEST_P(StreamSessions, LateAnswersThatAreReadyTogetherLeaveInOneWrite) {
  start();
  const auto asking = client();
  Octets all;
  for (std::uint16_t id = 0; id < 50; ++id) all = all + framed(query_for("wait.", id));
  ASSERT_TRUE(asking->send(all));
  ASSERT_TRUE(waits(50));
  release();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(asking->receive());
  if (encrypted()) EXPECT_EQ(asking->records(), 1);
}

TEST_P(StreamSessions, Rfc7766_6_2_3_IdleSessionIsEndedInOrder) {
  limits_.idle_timeout = 500ms;
  start();
  const auto silent = client();
  const auto asking = client();
  ASSERT_TRUE(asking->send(framed(query_for("now.", 1))));
  ASSERT_TRUE(asking->receive());
  for (const auto& idle : {silent.get(), asking.get()}) {
    EXPECT_TRUE(idle->ends());
    if (encrypted())
      EXPECT_NE(SSL_get_shutdown(idle->tls()) & SSL_RECEIVED_SHUTDOWN, 0) << "close_notify";
  }
  EXPECT_TRUE(Worker::eventually([&] { return worker_->sessions.open(GetParam()) == 0; }));
  EXPECT_EQ(worker_->drops("slow_client"), 0);
}

TEST_P(StreamSessions, Rfc7766_6_2_3_WhoWaitsForAnAnswerIsNotIdle) {
  limits_.idle_timeout = 500ms;
  limits_.query_timeout = 10s;
  start();
  const auto asking = client();
  ASSERT_TRUE(asking->send(framed(query_for("wait.", 1))));
  ASSERT_TRUE(waits(1));
  const auto probe = client();
  EXPECT_TRUE(probe->ends()) << "the idle one has gone, after all its time";
  EXPECT_EQ(worker_->answerer.waiting, 1);
  release();
  EXPECT_TRUE(asking->receive());
  EXPECT_TRUE(asking->ends());
}

TEST_P(StreamSessions, Rfc7766_6_2_3_SlowDripDoesNotKeepTheSession) {
  limits_.message_timeout = 200ms;
  start();
  const auto dripping = client();
  const Octets query = framed(query_for("now.", 1));
  bool lives = true;
  int sent = 0;
  // Every octet comes well within the time; the message does not.
  for (; lives && sent < 200; ++sent) {
    lives = dripping->send({query[static_cast<std::size_t>(sent) % 5]});
    std::this_thread::sleep_for(20ms);
    if (sent == 0) ASSERT_TRUE(lives);
  }
  EXPECT_LT(sent, 200);
  EXPECT_EQ(worker_->drops("slow_client"), 1);
}

TEST_P(StreamSessions, Rfc9210_4_2_SessionIdleLongestGivesWay) {
  limits_.sessions = 3;
  start();
  const auto first = client();
  const auto second = client();
  const auto busy = client();
  for (const auto& each : {first.get(), second.get()}) {
    ASSERT_TRUE(each->send(framed(query_for("now.", 1))));
    ASSERT_TRUE(each->receive());
  }
  ASSERT_TRUE(busy->send(framed(query_for("wait.", 1))));
  ASSERT_TRUE(waits(1));
  const auto fourth = client();
  ASSERT_TRUE(fourth->send(framed(query_for("now.", 2))));
  EXPECT_TRUE(fourth->receive());
  EXPECT_TRUE(first->ends());
  EXPECT_EQ(worker_->drops("session_evicted"), 1);
  ASSERT_TRUE(second->send(framed(query_for("now.", 3))));
  EXPECT_TRUE(second->receive());
  ASSERT_TRUE(fourth->send(framed(query_for("go.", 4))));
  EXPECT_TRUE(busy->receive());
}

TEST_P(StreamSessions, Rfc9210_4_2_WhereNobodyIsIdleTheNewcomerIsRefused) {
  limits_.sessions = 2;
  start();
  const auto one = client();
  const auto two = client();
  ASSERT_TRUE(one->send(framed(query_for("wait.", 1))));
  ASSERT_TRUE(two->send(framed(query_for("wait.", 1))));
  ASSERT_TRUE(waits(2));
  const auto third = client();
  if (third->connected()) EXPECT_TRUE(third->ends());
  EXPECT_EQ(worker_->drops("session_limit"), 1);
  ASSERT_TRUE(one->send(framed(query_for("go.", 2))));
  EXPECT_TRUE(one->receive());
  EXPECT_TRUE(two->receive());
}

TEST_P(StreamSessions, Rfc7766_6_2_2_OneClientHasSoManySessions) {
  limits_.sessions_per_client = 2;
  start();
  auto one = client();
  const auto two = client();
  const auto third = client();
  if (third->connected()) EXPECT_TRUE(third->ends());
  EXPECT_EQ(worker_->drops("client_limit"), 1);
  for (const auto& each : {one.get(), two.get()}) {
    ASSERT_TRUE(each->send(framed(query_for("now.", 1))));
    EXPECT_TRUE(each->receive());
  }
  one.reset();
  ASSERT_TRUE(Worker::eventually([&] { return worker_->sessions.open(GetParam()) == 1; }));
  const auto fourth = client();
  ASSERT_TRUE(fourth->send(framed(query_for("now.", 1))));
  EXPECT_TRUE(fourth->receive());
}

TEST_P(StreamSessions, Rfc7766_6_2_4_HalfClosedClientGetsItsAnswers) {
  start();
  const auto asking = client();
  ASSERT_TRUE(asking->send(framed(query_for("wait.", 1)) + framed(query_for("now.", 2))));
  asking->half_close();
  const auto first = asking->receive();
  ASSERT_TRUE(first);
  EXPECT_EQ(id_of(*first), 2);
  ASSERT_TRUE(waits(1));
  release();
  const auto second = asking->receive();
  ASSERT_TRUE(second);
  EXPECT_EQ(id_of(*second), 1);
  EXPECT_TRUE(asking->ends());
}

TEST_P(StreamSessions, SoManyQueriesOfASessionAreUnderWayAndTheOthersHaveTheirTurn) {
  limits_.queries_per_session = 4;
  start();
  const auto asking = client();
  Octets all;
  for (std::uint16_t id = 0; id < 20; ++id) all = all + framed(query_for("wait.", id));
  ASSERT_TRUE(asking->send(all));
  asking->half_close();
  std::set<std::uint16_t> ids;
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(waits(4));
    release();
    for (int i = 0; i < 4; ++i) {
      const auto answer = asking->receive();
      ASSERT_TRUE(answer);
      ids.insert(id_of(*answer));
    }
  }
  EXPECT_EQ(ids.size(), 20U);
  EXPECT_EQ(worker_->answerer.waiting_most, 4);
  EXPECT_TRUE(asking->ends());
}

TEST_P(StreamSessions, HitsAllocateNothing) {
  start();
  const auto asking = client();
  const Octets query = framed(query_for("now.", 1));
  const auto ask = [&](int times) {
    for (int i = 0; i < times; ++i) {
      ASSERT_TRUE(asking->send(query));
      ASSERT_TRUE(asking->receive());
    }
  };
  ask(10);
  const std::uint64_t before = worker_->answerer.allocations;
  ask(50);
  // The rest are OpenSSL's own, for each record: two buffers, which in the program come from the
  // thread's stock, and the small objects that it writes its headers with.
  const std::uint64_t of_openssl = encrypted() ? 50 * 7 : 0;
  EXPECT_LE(worker_->answerer.allocations - before, of_openssl);
}

TEST_P(StreamSessions, BigAnswersArriveWhole) {
  start();
  const auto asking = client();
  Octets all;
  for (std::uint16_t id = 0; id < 200; ++id) all = all + framed(query_for("big.", id));
  ASSERT_TRUE(asking->send(all));
  for (std::uint16_t id = 0; id < 200; ++id) {
    const auto answer = asking->receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(id_of(*answer), id);
    ASSERT_GT(answer->size(), 60'000U);
    EXPECT_EQ(answer->back(), 'b');
  }
}

TEST_P(StreamSessions, WhoDoesNotReadIsNotServedOnAndEnds) {
  limits_.message_timeout = 1s;
  start();
  const auto greedy = client();
  Octets all;
  for (std::uint16_t id = 0; id < 2000; ++id) all = all + framed(query_for("big.", id));
  ASSERT_TRUE(greedy->send(all));
  EXPECT_TRUE(Worker::eventually([&] { return worker_->drops("slow_client") == 1; }));
  EXPECT_LT(worker_->answerer.asked_now, 500) << "what the socket's buffers hold, and no more";
  EXPECT_TRUE(Worker::eventually([&] { return worker_->sessions.open(GetParam()) == 0; }));
}

TEST_P(StreamSessions, ManyQueriesWithoutPauseAreAllAnswered) {
  start();
  const auto asking = client();
  constexpr int batches = 100;
  Octets batch;
  for (std::uint16_t id = 0; id < 500; ++id) batch = batch + framed(query_for("now.", id));
  std::thread sender([&] {
    for (int i = 0; i < batches; ++i) asking->send_raw(encrypted() ? Octets{} : batch);
  });
  // Over TLS one thread does both: OpenSSL's object is not to be shared.
  for (int i = 0; i < batches; ++i) {
    if (encrypted()) ASSERT_TRUE(asking->send(batch));
    for (std::uint16_t id = 0; id < 500; ++id) {
      const auto answer = asking->receive();
      ASSERT_TRUE(answer);
      ASSERT_EQ(id_of(*answer), id);
    }
  }
  sender.join();
}

TEST_P(StreamSessions, WhatIsNoQueryEndsTheSessionAfterTheAnswersBeforeIt) {
  start();
  Octets response = query_for("now.", 2);
  response[2] |= 0x80;
  for (const Octets& wrong : {Octets{1, 2, 3}, Octets{}, response}) {
    const auto asking = client();
    ASSERT_TRUE(asking->send(framed(query_for("now.", 1)) + framed(wrong)));
    EXPECT_TRUE(asking->receive());
    EXPECT_TRUE(asking->ends());
  }
  EXPECT_EQ(worker_->drops("not_a_query"), 3);
}

TEST_P(StreamSessions, MalformedQueryIsAnsweredAndTheSessionLives) {
  start();
  const auto asking = client();
  Octets trailing = query_for("now.", 1);
  trailing.push_back(0);
  ASSERT_TRUE(asking->send(framed(trailing) + framed(query_for("now.", 2))));
  const auto refused = asking->receive();
  ASSERT_TRUE(refused);
  EXPECT_EQ(rcode_of(*refused), dns::Rcode::formerr);
  const auto answer = asking->receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(rcode_of(*answer), dns::Rcode::noerror);
}

TEST_P(StreamSessions, Rfc7766_6_2_4_NothingIsSentToAClientThatLeft) {
  start();
  const auto asking = client();
  ASSERT_TRUE(asking->send(framed(query_for("wait.", 1))));
  ASSERT_TRUE(waits(1));
  asking->reset();
  ASSERT_TRUE(Worker::eventually([&] { return worker_->sessions.open(GetParam()) == 0; }));
  release();
  EXPECT_TRUE(Worker::eventually([&] { return worker_->drops("client_gone") == 1; }));
}

TEST_P(StreamSessions, BeyondTheWaitingBudgetIsServfailAtOnce) {
  limits_.queries_waiting = 1;
  start();
  const auto asking = client();
  ASSERT_TRUE(asking->send(framed(query_for("wait.", 1)) + framed(query_for("wait.", 2))));
  const auto shed = asking->receive();
  ASSERT_TRUE(shed);
  EXPECT_EQ(id_of(*shed), 2);
  EXPECT_EQ(rcode_of(*shed), dns::Rcode::servfail);
  release();
  EXPECT_TRUE(asking->receive());
}

TEST_P(StreamSessions, StopEndsTheIdleAndAnswersTheOthers) {
  start();
  const auto idle = client();
  const auto asking = client();
  ASSERT_TRUE(idle->send(framed(query_for("now.", 1))));
  ASSERT_TRUE(idle->receive());
  ASSERT_TRUE(asking->send(framed(query_for("wait.", 2))));
  ASSERT_TRUE(waits(1));
  const base::Endpoint other = worker_->listen("udp://127.0.0.1:0");  // stops after the first
  auto stopped = worker_->stop_listeners(10s);
  EXPECT_TRUE(idle->ends());
  const int udp = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_storage storage{};
  const socklen_t size = other.to_sockaddr(storage);
  const Octets go = query_for("go.", 1);
  ::sendto(udp, go.data(), go.size(), 0, reinterpret_cast<sockaddr*>(&storage), size);
  ::close(udp);
  EXPECT_TRUE(asking->receive());
  EXPECT_TRUE(asking->ends());
  EXPECT_EQ(stopped.wait_for(10s), std::future_status::ready);
  EXPECT_FALSE(StreamClient(server_).connected());
}

TEST_P(StreamSessions, StopDoesNotWaitBeyondItsTime) {
  start();
  const auto asking = client();
  ASSERT_TRUE(asking->send(framed(query_for("wait.", 2))));
  ASSERT_TRUE(waits(1));
  EXPECT_EQ(worker_->stop_listeners(20ms).wait_for(3s), std::future_status::ready);
  EXPECT_TRUE(asking->ends());
}

TEST_P(StreamSessions, WithoutDescriptorsTheListenerRestsAndComesBack) {
#if __has_feature(address_sanitizer)
  GTEST_SKIP() << "this sanitizer opens a pipe to look at an object, and there is none to be had";
#endif
  start();
  const auto before = client();
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  // The client's socket is made first; then nothing is left for the server's side of it.
  const int early = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int next = ::dup(early);
  ::close(next);
  const rlimit none{static_cast<rlim_t>(next), limit.rlim_max};
  ASSERT_TRUE(before->send(framed(query_for("wait.", 1))));  // not idle: it does not give way
  ASSERT_TRUE(waits(1));
  ::setrlimit(RLIMIT_NOFILE, &none);
  sockaddr_storage storage{};
  const socklen_t size = server_.to_sockaddr(storage);
  ASSERT_EQ(::connect(early, reinterpret_cast<sockaddr*>(&storage), size), 0);
  EXPECT_TRUE(Worker::eventually([&] { return worker_->drops("no_descriptors") >= 2; }));
  EXPECT_LT(worker_->drops("no_descriptors"), 50) << "it rests in between";
  ::setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_TRUE(Worker::eventually([&] { return worker_->sessions.open(GetParam()) == 2; }));
  ::close(early);
  release();
  EXPECT_TRUE(before->receive());
}

}  // namespace
}  // namespace transports
