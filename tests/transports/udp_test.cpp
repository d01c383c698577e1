// The UDP listener over real sockets. RFC 1035 §4.2.1, RFC 9715.
#include "transports/listeners/udp.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <set>
#include <string>

#include "tests/support/allocation_count.h"
#include "tests/transports/worker_fixture.h"
#include "transports/listeners/sockets.h"

namespace transports {
namespace {

using test::operator+;
using test::Octets;
using test::query_for;
using test::Worker;

/// A connected socket: it takes datagrams from the address it asked, and from no other.
class UdpClient {
 public:
  UdpClient(const std::string& address, std::uint16_t port) {
    const base::Endpoint server{*base::Address::from_text(address), port};
    sockaddr_storage storage{};
    const socklen_t size = server.to_sockaddr(storage);
    descriptor_ = ::socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const timeval patience{10, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&storage), size) != 0)
      ADD_FAILURE() << errno;
  }
  ~UdpClient() { ::close(descriptor_); }
  UdpClient(const UdpClient&) = delete;
  UdpClient& operator=(const UdpClient&) = delete;

  void send(const Octets& message) const {
    ASSERT_EQ(::send(descriptor_, message.data(), message.size(), 0),
              static_cast<ssize_t>(message.size()));
  }
  [[nodiscard]] std::optional<Octets> receive() const {
    Octets message(65535);
    const ssize_t size = ::recv(descriptor_, message.data(), message.size(), 0);
    if (size < 0) return std::nullopt;
    message.resize(static_cast<std::size_t>(size));
    return message;
  }

 private:
  int descriptor_ = -1;
};

conf::ListenAddress address_of(conf::Protocol protocol, const char* address, std::uint16_t port,
                               const char* text) {
  return {
      .protocol = protocol, .endpoint = {*base::Address::from_text(address), port}, .text = text};
}

TEST(Rfc1035_4_2_1, HitIsAnsweredAtOnce) {
  Worker worker;
  const base::Endpoint server = worker.listen("udp://127.0.0.1:0");
  const UdpClient client("127.0.0.1", server.port);
  client.send(query_for("now.", 77));
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(test::id_of(*answer), 77);
  EXPECT_EQ(test::rcode_of(*answer), dns::Rcode::noerror);
  worker.on_worker([&] {
    EXPECT_EQ(worker.answerer.last.protocol, conf::Protocol::udp);
    EXPECT_EQ(worker.answerer.last.client.address.to_text(), "127.0.0.1");
    EXPECT_EQ(worker.answerer.last.deadline - worker.answerer.last.received,
              worker.limits.query_timeout);
  });
}

TEST(UdpListener, AnswerComesFromTheAddressThatWasAsked) {
  Worker worker;
  const base::Endpoint server = worker.listen("udp://0.0.0.0:0");
  for (const char* address : {"127.0.0.1", "127.0.0.2", "127.3.2.1"}) {
    const UdpClient client(address, server.port);
    client.send(query_for("now.", 1));
    EXPECT_TRUE(client.receive()) << address;
    client.send(query_for("soon.", 2));
    EXPECT_TRUE(client.receive()) << address;
  }
}

TEST(UdpListener, Ipv6WildcardAnswersAndLeavesIpv4Alone) {
  Worker worker;
  const base::Endpoint server = worker.listen("udp://[::]:0");
  const UdpClient client("::1", server.port);
  client.send(query_for("now.", 1));
  EXPECT_TRUE(client.receive());
  client.send(query_for("soon.", 2));
  EXPECT_TRUE(client.receive());
  EXPECT_NO_THROW(worker.listen("udp://0.0.0.0:" + std::to_string(server.port)));
}

TEST(UdpListener, EachOfManyClientsGetsItsOwnAnswer) {
  Worker worker;
  const base::Endpoint server = worker.listen("udp://127.0.0.1:0");
  std::vector<std::unique_ptr<UdpClient>> clients;
  for (int i = 0; i < 100; ++i)
    clients.push_back(std::make_unique<UdpClient>("127.0.0.1", server.port));
  for (std::uint16_t round = 0; round < 5; ++round) {
    for (std::uint16_t i = 0; i < 100; ++i) {
      clients[i]->send(
          query_for(i % 3 == 0 ? "soon." : "now.", static_cast<std::uint16_t>(round * 100 + i)));
    }
    for (std::uint16_t i = 0; i < 100; ++i) {
      const auto answer = clients[i]->receive();
      ASSERT_TRUE(answer);
      EXPECT_EQ(test::id_of(*answer), round * 100 + i);
    }
  }
}

/// Of the sockets on one address the kernel chooses one for each client; the one that only answers
/// must never be it, from its connecting on.
TEST(UdpListener, NoQueryIsGivenToASocketThatOnlyAnswers) {
  for (const char* address : {"127.0.0.1", "0.0.0.0", "::1", "::"}) {
    auto there = address_of(conf::Protocol::udp, address, 0, "there");
    const Descriptor listening = open_udp_socket(there);
    there.endpoint = local_endpoint_of(listening.get());
    const Descriptor answering = open_answering_socket(there);
    const bool v4 = there.endpoint.address.is_v4();
    for (int i = 0; i < 50; ++i)
      UdpClient(v4 ? "127.0.0.1" : "::1", there.endpoint.port).send(Octets(12));
    std::array<std::uint8_t, 16> message;
    for (int i = 0; i < 50; ++i)
      EXPECT_EQ(::recv(listening.get(), message.data(), message.size(), 0), 12) << address;
    EXPECT_LT(::recv(answering.get(), message.data(), message.size(), 0), 0) << address;
  }
}

TEST(UdpListener, HitsOfABatchAllocateNothingAndTakeNoLock) {
  Worker worker;
  const base::Endpoint server = worker.listen("udp://0.0.0.0:0");
  const UdpClient client("127.0.0.1", server.port);
  const Octets query = query_for("now.", 1);
  // Sent while the worker is busy with this, so that they are one batch for it.
  worker.on_worker([&] {
    for (std::size_t i = 0; i < UdpBatch::slots; ++i) client.send(query);
  });
  for (std::size_t i = 0; i < UdpBatch::slots; ++i) ASSERT_TRUE(client.receive());
  worker.on_worker([&] {
    EXPECT_EQ(worker.answerer.allocations_between, 0U);
    EXPECT_EQ(worker.answerer.locks_between, 0U);
  });
}

TEST(UdpListener, HitsAllocateNothingFromOneWakeUpToTheNext) {
  Worker worker;
  const base::Endpoint server = worker.listen("udp://127.0.0.1:0");
  const UdpClient client("127.0.0.1", server.port);
  const Octets query = query_for("now.", 1);
  const auto ask = [&](int times) {
    for (int i = 0; i < times; ++i) {
      client.send(query);
      ASSERT_TRUE(client.receive());
    }
  };
  ask(10);  // the loop fills its stock
  const std::uint64_t before = worker.answerer.allocations;
  ask(50);
  EXPECT_EQ(worker.answerer.allocations, before);
}

TEST(UdpListener, LateAnswersLeaveTogetherAndOutOfOrder) {
  Worker worker;
  const base::Endpoint server = worker.listen("udp://127.0.0.1:0");
  const UdpClient client("127.0.0.1", server.port);
  for (std::uint16_t id = 0; id < 80; ++id) client.send(query_for("wait.", id));
  ASSERT_TRUE(Worker::eventually([&] { return worker.answerer.waiting == 80; }));
  EXPECT_EQ(worker.waiting.taken(), 80U);
  client.send(query_for("go.", 1000));
  std::set<std::uint16_t> ids;
  for (int i = 0; i < 81; ++i) {
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    ids.insert(test::id_of(*answer));
    EXPECT_EQ(test::rcode_of(*answer), dns::Rcode::noerror);
  }
  EXPECT_EQ(ids.size(), 81U);
  EXPECT_TRUE(Worker::eventually([&] { return worker.waiting.taken() == 0; }));
}

TEST(Rfc8906_3_1_1, ScrapsAndResponsesGetNoAnswer) {
  Worker worker;
  const base::Endpoint server = worker.listen("udp://127.0.0.1:0");
  const UdpClient client("127.0.0.1", server.port);
  client.send({});
  client.send(Octets(11, 1));
  Octets response = query_for("now.", 1);
  response[2] |= 0x80;
  client.send(response);
  client.send(query_for("silent.", 2));
  client.send(query_for("now.", 3));
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(test::id_of(*answer), 3) << "the first answer is to the last query";
  EXPECT_EQ(worker.drops("not_a_query"), 3);
}

TEST(UdpListener, WhatIsTooLongToBeAQueryIsAFormatError) {
  Worker worker;
  const base::Endpoint server = worker.listen("udp://127.0.0.1:0");
  const UdpClient client("127.0.0.1", server.port);
  client.send(query_for("now.", 5) + Octets(UdpBatch::packet_size_max, 0));
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(test::id_of(*answer), 5);
  EXPECT_EQ(test::rcode_of(*answer), dns::Rcode::formerr);
}

TEST(UdpListener, BeyondTheWaitingBudgetIsServfailAtOnce) {
  conf::Limits limits;
  limits.queries_waiting = 2;
  Worker worker(limits);
  const base::Endpoint server = worker.listen("udp://127.0.0.1:0");
  const UdpClient client("127.0.0.1", server.port);
  for (std::uint16_t id = 1; id <= 3; ++id) client.send(query_for("wait.", id));
  const auto shed = client.receive();
  ASSERT_TRUE(shed);
  EXPECT_EQ(test::id_of(*shed), 3);
  EXPECT_EQ(test::rcode_of(*shed), dns::Rcode::servfail);
  client.send(query_for("go.", 4));
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(test::rcode_of(*answer), dns::Rcode::noerror);
  }
}

TEST(UdpListener, StopAnswersWhatWasAccepted) {
  Worker worker;
  const base::Endpoint server = worker.listen("udp://127.0.0.1:0");
  const base::Endpoint other = worker.listen("udp://127.0.0.1:0");
  const UdpClient client("127.0.0.1", server.port);
  const UdpClient releasing("127.0.0.1", other.port);
  client.send(query_for("wait.", 9));
  ASSERT_TRUE(Worker::eventually([&] { return worker.answerer.waiting == 1; }));
  auto stopped = worker.stop_listeners(std::chrono::seconds(10));
  releasing.send(query_for("go.", 1));  // the other stops after the first
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(test::id_of(*answer), 9);
  EXPECT_EQ(stopped.wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(UdpListener, StopDoesNotWaitBeyondItsTime) {
  Worker worker;
  const base::Endpoint server = worker.listen("udp://127.0.0.1:0");
  const UdpClient client("127.0.0.1", server.port);
  client.send(query_for("wait.", 9));
  ASSERT_TRUE(Worker::eventually([&] { return worker.answerer.waiting == 1; }));
  EXPECT_EQ(worker.stop_listeners(std::chrono::milliseconds(20)).wait_for(std::chrono::seconds(3)),
            std::future_status::ready);
}

TEST(Rfc9715_3_1, WhatIsTooLongForTheLinkIsTriedShorterOnce) {
  // A datagram that does not fit into the send buffer is refused as one that does not fit the link
  // is.
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair.data()), 0);
  const int least = 4096;
  ::setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
  std::array<Octets, 3> messages{Octets(10, 'a'), Octets(60'000, 'b'), Octets(20, 'c')};
  std::array<iovec, 3> parts{};
  std::array<mmsghdr, 3> headers{};
  for (std::size_t i = 0; i < 3; ++i) {
    parts[i] = {messages[i].data(), messages[i].size()};
    headers[i].msg_hdr.msg_iov = &parts[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  int refusals = 0;
  UdpBatch::send_all(pair[0], headers, [&](std::size_t i, int error, bool again) -> std::size_t {
    ++refusals;
    EXPECT_EQ(i, 1U);
    EXPECT_EQ(error, EMSGSIZE);
    EXPECT_FALSE(again);
    return 12;
  });
  EXPECT_EQ(refusals, 1);
  for (const ssize_t size : {10, 12, 20}) {
    Octets got(100);
    EXPECT_EQ(::recv(pair[1], got.data(), got.size(), MSG_DONTWAIT), size);
  }
  ::close(pair[0]);
  ::close(pair[1]);
}

std::string sentence_of(const std::function<void()>& open) {
  try {
    open();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Listeners, WhyASocketCannotBeOpenedIsASentence) {
  EXPECT_EQ(sentence_of([] {
              open_udp_socket(address_of(conf::Protocol::udp, "192.0.2.1", 0, "udp://192.0.2.1"));
            }),
            "udp://192.0.2.1: this address is not one of this machine's");
  EXPECT_EQ(sentence_of([] {
              open_tcp_socket(address_of(conf::Protocol::dot, "192.0.2.1", 0, "tls://192.0.2.1"));
            }),
            "tls://192.0.2.1: this address is not one of this machine's");
}

TEST(Listeners, AnotherListenerOnTheSameAddressIsNoticed) {
  Worker worker;
  for (const std::string scheme : {"udp", "tcp"}) {
    const base::Endpoint taken = worker.listen(scheme + "://127.0.0.1:0");
    const auto protocol = *conf::protocol_from_scheme(scheme);
    const auto same = address_of(protocol, "127.0.0.1", taken.port, "there");
    EXPECT_EQ(sentence_of([&] { require_free(same); }),
              "there: another program listens there already");
    EXPECT_NO_THROW(worker.listen(scheme + "://127.0.0.1:" + std::to_string(taken.port)))
        << "a second worker's";
  }
  EXPECT_NO_THROW(require_free(address_of(conf::Protocol::tcp, "127.0.0.1", 0, "free")));
}

}  // namespace
}  // namespace transports
