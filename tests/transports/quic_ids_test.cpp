// Connection ids and secrets: who an id belongs to, what the kernel makes of it, what a token
// proves.
#include "transports/quic/connection_ids.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "transports/listeners/sockets.h"
#include "transports/quic/secrets.h"

namespace transports::quic {
namespace {

Path path_from(std::uint8_t host, std::uint16_t port) {
  Path path;
  sockaddr_in remote{};
  remote.sin_family = AF_INET;
  remote.sin_port = htons(port);
  remote.sin_addr.s_addr = htonl(0x7F000000U | host);
  path.remote.in = remote;
  path.remote_size = sizeof remote;
  path.local = path.remote;
  path.local_size = path.remote_size;
  return path;
}

ngtcp2_pkt_hd initial_with(const Secrets::Token& token, const ngtcp2_cid& destination) {
  ngtcp2_pkt_hd header{};
  header.version = NGTCP2_PROTO_VER_V1;
  header.token = token.octets.data();
  header.tokenlen = token.size;
  header.dcid = destination;
  return header;
}

TEST(Rfc9000_5_1, AnIdNamesItsWorkerToUsAlone) {
  const ConnectionIds ids;
  const ConnectionIds others;
  unsigned agreed = 0;
  for (unsigned worker = 0; worker < 256; ++worker) {
    ngtcp2_cid id{};
    ASSERT_TRUE(ids.make(static_cast<std::uint8_t>(worker), id));
    EXPECT_EQ(id.datalen, ConnectionIds::size);
    EXPECT_EQ(ids.worker_of(octets_of(id)), worker);
    agreed += others.worker_of(octets_of(id)) == worker ? 1 : 0;
  }
  EXPECT_LT(agreed, 16U);
}

TEST(Rfc9000_9_3, TheKernelGivesDatagramsToTheWorkerOfTheirId) {
  const ConnectionIds ids;
  conf::ListenAddress address{.protocol = conf::Protocol::doq,
                              .endpoint = {base::Address::v4({127, 0, 0, 1}), 0},
                              .text = "quic://127.0.0.1:0"};
  std::vector<Descriptor> workers;
  for (int i = 0; i < 4; ++i) {
    workers.push_back(open_udp_socket(address));
    address.endpoint = local_endpoint_of(workers.front().get());
  }
  if (!ids.steer(workers.front().get())) GTEST_SKIP() << "this kernel cannot be steered";
  const Descriptor client = open_udp_socket({.protocol = conf::Protocol::doq,
                                             .endpoint = {base::Address::v4({127, 0, 0, 1}), 0},
                                             .text = "client"});
  sockaddr_storage to{};
  const unsigned to_size = address.endpoint.to_sockaddr(to);
  for (unsigned i = 0; i < 64; ++i) {
    const auto worker = static_cast<std::uint8_t>(i % workers.size());
    ngtcp2_cid id{};
    ASSERT_TRUE(ids.make(worker, id));
    std::array<std::uint8_t, 40> datagram{0x40};
    std::ranges::copy(octets_of(id), datagram.begin() + 1);
    ASSERT_EQ(::sendto(client.get(), datagram.data(), datagram.size(), 0,
                       reinterpret_cast<const sockaddr*>(&to), to_size),
              static_cast<ssize_t>(datagram.size()));
    std::array<std::uint8_t, 64> into{};
    EXPECT_EQ(::recv(workers[worker].get(), into.data(), into.size(), MSG_DONTWAIT),
              static_cast<ssize_t>(datagram.size()));
  }
}

TEST(Rfc9000_8_1_2, ARetryTokenProvesOneAddressAndOneId) {
  const Secrets secrets;
  const ConnectionIds ids;
  ngtcp2_cid original{};
  ngtcp2_cid retry{};
  ngtcp2_cid found{};
  ASSERT_TRUE(ids.make(0, original) && ids.make(0, retry));
  const Secrets::Token token =
      secrets.retry_token(NGTCP2_PROTO_VER_V1, path_from(1, 4000), retry, original);
  ASSERT_NE(token.size, 0U);
  EXPECT_EQ(secrets.check(initial_with(token, retry), path_from(1, 4000), found),
            Secrets::Verdict::retry);
  EXPECT_NE(ngtcp2_cid_eq(&found, &original), 0);
  EXPECT_EQ(secrets.check(initial_with(token, retry), path_from(2, 4000), found),
            Secrets::Verdict::bad);
  EXPECT_EQ(secrets.check(initial_with(token, original), path_from(1, 4000), found),
            Secrets::Verdict::bad);
  EXPECT_EQ(Secrets().check(initial_with(token, retry), path_from(1, 4000), found),
            Secrets::Verdict::bad);
}

TEST(Rfc9000_8_1_3, AnAddressTokenProvesItsAddressOnAnyPort) {
  const Secrets secrets;
  ngtcp2_cid none{};
  Path path = path_from(1, 4000);
  const Secrets::Token token = secrets.address_token(path.view().remote);
  ASSERT_NE(token.size, 0U);
  EXPECT_EQ(secrets.check(initial_with(token, none), path_from(1, 4001), none),
            Secrets::Verdict::address);
  EXPECT_EQ(secrets.check(initial_with(token, none), path_from(2, 4000), none),
            Secrets::Verdict::none);
  EXPECT_EQ(secrets.check(initial_with({}, none), path, none), Secrets::Verdict::none);
}

TEST(Rfc9000_10_3_2, AResetTokenIsTheIdsAndTheSecrets) {
  const Secrets secrets;
  const ConnectionIds ids;
  ngtcp2_cid one{};
  ngtcp2_cid other{};
  ASSERT_TRUE(ids.make(0, one) && ids.make(0, other));
  using Token = std::array<std::uint8_t, NGTCP2_STATELESS_RESET_TOKENLEN>;
  const auto token = [](const Secrets& from, const ngtcp2_cid& id) {
    Token made{};
    from.reset_token(id, made.data());
    return made;
  };
  EXPECT_EQ(token(secrets, one), token(secrets, one));
  EXPECT_NE(token(secrets, one), token(secrets, other));
  EXPECT_NE(token(secrets, one), token(Secrets(), one));
}

}  // namespace
}  // namespace transports::quic
