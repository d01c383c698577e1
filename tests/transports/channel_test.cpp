// Channels over a socket pair: what the statuses promise, in the clear and over TLS. RFC 8446 §5.1,
// §6.1.
#include "transports/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <vector>

#include "certs/ticket_keys.h"
#include "certs/tls_context.h"
#include "tests/certs/pem_files.h"

namespace transports {
namespace {

using Octets = std::vector<std::uint8_t>;

class Channels : public testing::TestWithParam<bool> {
 protected:
  Channels() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_.data()),
              0);
    if (!GetParam()) {
      client_ = std::make_unique<Channel>(ends_[0]);
      server_ = std::make_unique<Channel>(ends_[1]);
      return;
    }
    const auto made = certs::test::certificate_for("dns.example.org");
    const auto identity = certs::parse_identity(made.certificate_pem(), certs::test::key_pem(made),
                                                std::time(nullptr));
    conf::Upstream upstream;
    upstream.pins = {certs::spki_pin(*made.certificate)};
    client_context_ = *certs::ClientContext::make(upstream, authorities_);
    server_context_ = *certs::make_server_context(
        {}, *identity, std::make_shared<certs::TicketKeys>(std::chrono::hours(1)));
    client_ = std::make_unique<Channel>(ends_[0], *client_context_->make_session(), buffer_);
    server_ = std::make_unique<Channel>(
        ends_[1], certs::make_server_session(*server_context_, certs::alpn_dot), buffer_);
  }
  ~Channels() override {
    client_.reset();
    server_.reset();
    ::close(ends_[0]);
    ::close(ends_[1]);
  }

  void shake_hands() const {
    ChannelStatus client = ChannelStatus::want_read;
    ChannelStatus server = ChannelStatus::want_read;
    for (int turn = 0; turn < 10; ++turn) {
      if (client != ChannelStatus::ok) client = client_->handshake().status;
      if (server != ChannelStatus::ok) server = server_->handshake().status;
    }
    ASSERT_EQ(client, ChannelStatus::ok);
    ASSERT_EQ(server, ChannelStatus::ok);
    Octets nothing(10);
    EXPECT_EQ(client_->read(nothing).status, ChannelStatus::want_read);  // tickets
  }

  std::array<int, 2> ends_{};
  ChannelBuffers buffer_{};
  certs::Authorities authorities_;
  std::unique_ptr<certs::ClientContext> client_context_;
  certs::SslContextPtr server_context_;
  std::unique_ptr<Channel> client_;
  std::unique_ptr<Channel> server_;
};

INSTANTIATE_TEST_SUITE_P(Over, Channels, testing::Bool(),
                         [](const auto& info) { return info.param ? "Tls" : "Cleartext"; });

TEST_P(Channels, OctetsArriveInOrderAndTheStatusSaysWhenThereAreNoMore) {
  shake_hands();
  const Octets message(100, 'x');
  for (int i = 0; i < 3; ++i) {
    const ChannelResult written = client_->write(message);
    EXPECT_EQ(written.status, ChannelStatus::ok);
    EXPECT_EQ(written.octets, 100U);
  }
  Octets in(1000);
  const ChannelResult read = server_->read(in);
  EXPECT_EQ(read.octets, 300U) << "three records in one call";
  EXPECT_EQ(read.status, ChannelStatus::want_read);
  EXPECT_EQ(server_->read(in).status, ChannelStatus::want_read);
}

TEST_P(Channels, OkMeansThereMayBeMoreAndNothingIsLost) {
  shake_hands();
  Octets out(10'000);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i * 7);
  ASSERT_EQ(client_->write(out).octets, out.size());
  Octets all;
  Octets piece(333);
  ChannelResult read{};
  while ((read = server_->read(piece)).octets != 0) {
    all.insert(all.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(read.octets));
    if (read.status != ChannelStatus::ok) break;
    EXPECT_EQ(read.octets, piece.size());
  }
  EXPECT_EQ(all, out);
}

TEST_P(Channels, WhatIsFedIsReadFirstAndNothingIsLost) {
  shake_hands();
  Octets out(10'000);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i * 7);
  for (const std::size_t fed : {std::size_t{1}, std::size_t{700}, std::size_t{20'000}}) {
    for (const std::size_t read_at_once : {std::size_t{100}, std::size_t{50'000}}) {
      ASSERT_EQ(client_->write(out).octets, out.size());
      Octets borrowed(fed);
      const auto arrived = ::recv(ends_[1], borrowed.data(), borrowed.size(), 0);
      ASSERT_GT(arrived, 0);
      const auto count = static_cast<std::size_t>(arrived);
      server_->feed({borrowed.data(), count}, count < fed);
      Octets all;
      Octets piece(read_at_once);
      ChannelResult read{};
      do {
        read = server_->read(piece);
        borrowed.assign(fed, 0xEE);  // it was only lent
        all.insert(all.end(), piece.begin(),
                   piece.begin() + static_cast<std::ptrdiff_t>(read.octets));
      } while (read.status == ChannelStatus::ok);
      EXPECT_EQ(read.status, ChannelStatus::want_read);
      EXPECT_EQ(all, out) << fed << " fed, read by " << read_at_once;
    }
  }
}

TEST_P(Channels, AFeedThatWasAllAsksTheSocketNoMoreInThatCall) {
  shake_hands();
  const Octets message(100, 'x');
  ASSERT_EQ(client_->write(message).octets, 100U);
  Octets borrowed(1000);
  const auto arrived = ::recv(ends_[1], borrowed.data(), borrowed.size(), 0);
  ASSERT_GT(arrived, 0);
  ASSERT_EQ(client_->write(message).octets, 100U);
  server_->feed({borrowed.data(), static_cast<std::size_t>(arrived)}, true);
  Octets in(1000);
  EXPECT_EQ(server_->read(in).octets, 100U) << "the second came later";
  EXPECT_EQ(server_->read(in).octets, 100U);
  EXPECT_EQ(server_->read(in).status, ChannelStatus::want_read);
}

TEST_P(Channels, FullSocketWantsWritingAndTheRestMayHaveMoved) {
  shake_hands();
  Octets out(4'000'000);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i >> 3);
  Octets all;
  Octets piece(70'000);
  std::size_t written = 0;
  bool stalled = false;
  while (all.size() < out.size()) {
    const Octets rest(out.begin() + static_cast<std::ptrdiff_t>(written),
                      out.end());  // elsewhere in memory
    const ChannelResult result = client_->write(rest);
    ASSERT_TRUE(result.status == ChannelStatus::ok || result.status == ChannelStatus::want_write);
    stalled = stalled || result.status == ChannelStatus::want_write;
    written += result.octets;
    ChannelResult read{};
    do {
      read = server_->read(piece);
      all.insert(all.end(), piece.begin(),
                 piece.begin() + static_cast<std::ptrdiff_t>(read.octets));
    } while (read.status == ChannelStatus::ok);
    ASSERT_EQ(read.status, ChannelStatus::want_read);
  }
  EXPECT_TRUE(stalled);
  EXPECT_EQ(all, out);
}

TEST_P(Channels, ShutdownOfOneSideLeavesTheOtherOpen) {
  shake_hands();
  const Octets last(10, 'l');
  client_->write(last);
  EXPECT_EQ(client_->shutdown().status, ChannelStatus::ok);
  Octets in(100);
  ChannelResult read = server_->read(in);
  EXPECT_EQ(read.octets, 10U);
  if (read.status != ChannelStatus::closed) read = server_->read(in);
  EXPECT_EQ(read.status, ChannelStatus::closed);
  EXPECT_EQ(server_->write(last).octets, 10U);
  EXPECT_EQ(client_->read(in).octets, 10U);
}

TEST_P(Channels, EndWithoutACloseNotifyIsClosed) {
  shake_hands();
  ::shutdown(ends_[0], SHUT_WR);
  Octets in(100);
  EXPECT_EQ(server_->read(in).status, ChannelStatus::closed);
}

TEST_P(Channels, WritingToAPeerThatLeftFailsWithoutASignal) {
  shake_hands();
  ::close(ends_[0]);
  ends_[0] = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const Octets out(100, 'x');
  EXPECT_EQ(server_->write(out).status, ChannelStatus::failed);
  EXPECT_EQ(server_->failure_text(), "Broken pipe");
  EXPECT_EQ(server_->write(out).status, ChannelStatus::failed);
  EXPECT_EQ(server_->shutdown().status, ChannelStatus::failed);
}

TEST_P(Channels, FactsTellWhatWasAgreed) {
  shake_hands();
  const TlsFacts facts = client_->facts();
  if (!GetParam()) {
    EXPECT_FALSE(client_->encrypted());
    EXPECT_EQ(facts.version, "");
    return;
  }
  EXPECT_EQ(facts.version, "TLSv1.3");
  EXPECT_EQ(facts.group, "X25519MLKEM768");
  EXPECT_EQ(facts.alpn, "dot");
  EXPECT_FALSE(facts.resumed);
}

class TlsChannels : public Channels {};
INSTANTIATE_TEST_SUITE_P(Over, TlsChannels, testing::Values(true));

TEST_P(TlsChannels, RecordsOfSeveralWritesLeaveTogether) {
  shake_hands();
  const Octets message(100, 'x');
  Octets in(1000);
  for (const bool more : {true, true, false}) {
    EXPECT_EQ(server_->read(in).status, ChannelStatus::want_read) << "nothing has left yet";
    EXPECT_EQ(client_->write(message, more).status, ChannelStatus::ok);
  }
  RecordEnds ends;
  EXPECT_EQ(server_->read(in, &ends).octets, 300U);
  EXPECT_EQ(ends.all().size(), 3U);
}

TEST_P(TlsChannels, RecordsThatTheSocketDoesNotTakeWaitAndNothingIsLost) {
  shake_hands();
  Octets out(3'000'000);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i >> 3);
  Octets all;
  Octets piece(70'000);
  std::size_t written = 0;
  std::size_t calls = 0;
  bool waited = false;
  while (all.size() < out.size()) {
    const std::size_t size =
        std::min<std::size_t>(1 + (calls * 7919) % 20'000, out.size() - written);
    const ChannelResult result =
        client_->write(base::Bytes(out).subspan(written, size), ++calls % 5 != 0);
    ASSERT_TRUE(result.status == ChannelStatus::ok || result.status == ChannelStatus::want_write);
    written += result.octets;
    if (result.status == ChannelStatus::ok && written != out.size()) continue;
    waited = waited || (result.status == ChannelStatus::want_write && result.octets == size);
    EXPECT_EQ(written == out.size() || client_->shutdown().status == ChannelStatus::want_write,
              true)
        << "a goodbye does not overtake what waits";
    const ChannelResult read = server_->read(piece);
    all.insert(all.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(read.octets));
  }
  EXPECT_TRUE(waited);
  EXPECT_EQ(all, out);
}

TEST_P(TlsChannels, WhatOneConnectionSpoilsIsNotAnothers) {
  shake_hands();
  std::array<int, 2> other{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, other.data()), 0);
  {
    Channel broken(other[1], certs::make_server_session(*server_context_, certs::alpn_dot),
                   buffer_);
    ASSERT_EQ(::send(other[0], "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    EXPECT_EQ(broken.handshake().status, ChannelStatus::failed);
    EXPECT_EQ(broken.failure_text(), "http request");
    EXPECT_EQ(broken.handshake().status, ChannelStatus::failed);
  }
  ::close(other[0]);
  ::close(other[1]);
  client_->write(Octets(5, 'x'));
  Octets in(10);
  EXPECT_EQ(server_->read(in).octets, 5U);
  EXPECT_EQ(server_->read(in).status, ChannelStatus::want_read);
}

TEST_P(TlsChannels, PeerThatLeavesDuringTheHandshakeFails) {
  EXPECT_EQ(server_->handshake().status, ChannelStatus::want_read);
  ::shutdown(ends_[0], SHUT_WR);
  EXPECT_EQ(server_->handshake().status, ChannelStatus::failed);
  EXPECT_EQ(server_->failure_text(), "closed by the peer");
}

TEST_P(TlsChannels, TwoChannelsShareTheirBuffers) {
  shake_hands();
  // Both channels of the fixture have the same one.
  Octets first(1000, 'a');
  client_->write(first);
  Octets small(10);
  EXPECT_EQ(server_->read(small).status, ChannelStatus::ok);
  server_->write(Octets(500, 'b'));
  Octets in(2000);
  EXPECT_EQ(client_->read(in).octets, 500U);
  EXPECT_EQ(server_->read(in).octets, 990U);
  EXPECT_EQ(in[0], 'a');
}

}  // namespace
}  // namespace transports
