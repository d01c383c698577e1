// Balancers that say whose connections theirs are: over TCP and UDP with real sockets. HAProxy's
// proxy-protocol.txt.
#include "transports/listeners/introduction.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "tests/transports/stream_client.h"
#include "tests/transports/worker_fixture.h"

namespace transports {
namespace {

using namespace std::chrono_literals;
using test::framed;
using test::id_of;
using test::Octets;
using test::operator+;
using test::query_for;
using test::StreamClient;
using test::Worker;

Octets octets_of(std::string_view text) { return {text.begin(), text.end()}; }

const Octets line = octets_of("PROXY TCP4 203.0.113.7 127.0.0.1 4711 53\r\n");
const Octets local{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51,
                   0x55, 0x49, 0x54, 0x0a, 0x20, 0,    0,    0};
const Octets binary{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49,
                    0x54, 0x0a, 0x21, 0x11, 0,    12,   203,  0,    113,  8,
                    127,  0,    0,    1,    0x12, 0x67, 0,    53};

class Balanced : public testing::Test {
 protected:
  void start(std::string_view url, std::string_view balancers) {
    worker_ = std::make_unique<Worker>(limits_);
    worker_->proxy.balancers = {*base::Prefix::from_text(balancers)};
    worker_->proxy.balanced = {conf::Protocol::udp, conf::Protocol::tcp};
    server_ = worker_->listen(url);
  }
  void start_tcp(std::string_view balancers = "127.0.0.1") {
    start("tcp://127.0.0.1:0", balancers);
  }
  [[nodiscard]] std::string client_asked() const {
    return worker_->on_worker([this] { return worker_->answerer.last.client.to_text(); });
  }
  [[nodiscard]] bool refused(double count) const {
    return Worker::eventually([&] { return worker_->drops("proxy_header") == count; });
  }
  [[nodiscard]] bool answers(const Octets& before) const {
    StreamClient client(server_);
    client.send(before + framed(query_for("now.", 7)));
    const auto answer = client.receive();
    return answer && id_of(*answer) == 7;
  }

  conf::Limits limits_;
  std::unique_ptr<Worker> worker_;
  base::Endpoint server_;
};

TEST_F(Balanced, TheClientIsWhomTheHeaderNames) {
  start_tcp();
  EXPECT_TRUE(answers(line));
  EXPECT_EQ(client_asked(), "203.0.113.7:4711");
  EXPECT_TRUE(answers(binary));
  EXPECT_EQ(client_asked(), "203.0.113.8:4711");
}

TEST_F(Balanced, AHeaderMayComeInPieces) {
  start_tcp();
  StreamClient client(server_);
  const Octets whole = line + framed(query_for("now.", 8));
  for (const std::uint8_t octet : whole) {
    client.send({octet});
    std::this_thread::sleep_for(1ms);
  }
  ASSERT_TRUE(client.receive());
  EXPECT_EQ(client_asked(), "203.0.113.7:4711");
}

TEST_F(Balanced, WhatTheBalancerAsksForItselfIsItsOwn) {
  start_tcp();
  EXPECT_TRUE(answers(local));
  EXPECT_TRUE(client_asked().starts_with("127.0.0.1:"));
}

TEST_F(Balanced, AConnectionWithoutAHeaderIsClosed) {
  start_tcp();
  StreamClient client(server_);
  client.send(framed(query_for("now.", 9)));
  EXPECT_TRUE(client.ends());
  EXPECT_TRUE(refused(1));
  EXPECT_EQ(worker_->answerer.asked_now, 0);
}

TEST_F(Balanced, AHeaderThatDoesNotComeIsNotWaitedForLong) {
  limits_.handshake_timeout = 200ms;
  start_tcp();
  StreamClient client(server_);
  client.send(Octets(line.begin(), line.begin() + 20));
  EXPECT_TRUE(client.ends());
  EXPECT_TRUE(refused(1));
}

TEST_F(Balanced, AHealthCheckThatSaysNothingIsNoMistake) {
  start_tcp();
  {
    StreamClient check(server_);
  }
  EXPECT_TRUE(Worker::eventually([&] { return worker_->sessions.open(conf::Protocol::tcp) == 0; }));
  EXPECT_TRUE(answers(line));
  EXPECT_EQ(worker_->drops("proxy_header"), 0);
}

TEST_F(Balanced, AHeaderFromElsewhereIsNotBelieved) {
  limits_.message_timeout = 200ms;
  start_tcp("192.0.2.1");
  EXPECT_TRUE(answers({}));
  EXPECT_TRUE(client_asked().starts_with("127.0.0.1:"));
  StreamClient liar(server_);
  liar.send(line + framed(query_for("now.", 9)));  // "PR" promises 20,562 octets
  EXPECT_TRUE(liar.ends());
  EXPECT_EQ(worker_->answerer.asked_now, 1);
}

TEST_F(Balanced, LimitsCountForTheClient) {
  limits_.sessions_per_client = 1;
  start_tcp();
  StreamClient first(server_);
  first.send(line + framed(query_for("now.", 1)));
  ASSERT_TRUE(first.receive());
  StreamClient other(server_);
  other.send(binary + framed(query_for("now.", 2)));
  ASSERT_TRUE(other.receive());
  StreamClient second(server_);
  second.send(line + framed(query_for("now.", 3)));
  EXPECT_TRUE(second.ends());
  EXPECT_EQ(worker_->drops("client_limit"), 1);
}

TEST_F(Balanced, AListenerThatStopsDoesNotWaitForHeaders) {
  limits_.handshake_timeout = 60s;
  start_tcp();
  StreamClient client(server_);
  client.send(Octets(line.begin(), line.begin() + 5));
  ASSERT_TRUE(Worker::eventually([&] { return worker_->sessions.open(conf::Protocol::tcp) == 1; }));
  EXPECT_EQ(worker_->stop_listeners(30s).wait_for(10s), std::future_status::ready);
  EXPECT_TRUE(client.ends());
}

TEST_F(Balanced, DatagramsHaveTheirOwnHeaders) {
  start("udp://127.0.0.1:0", "127.0.0.1");
  const int client = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_storage to{};
  const socklen_t size = server_.to_sockaddr(to);
  ASSERT_EQ(::connect(client, reinterpret_cast<const sockaddr*>(&to), size), 0);

  const Octets bare = query_for("now.", 1);
  ::send(client, bare.data(), bare.size(), 0);
  EXPECT_TRUE(refused(1));
  const Octets introduced = binary + query_for("now.", 2);
  ::send(client, introduced.data(), introduced.size(), 0);
  std::array<std::uint8_t, 512> answer{};
  ASSERT_GT(::recv(client, answer.data(), answer.size(), 0), 12);
  EXPECT_EQ(base::load_u16(answer.data()), 2);
  EXPECT_EQ(client_asked(), "203.0.113.8:4711");
  ::close(client);
}

}  // namespace
}  // namespace transports
