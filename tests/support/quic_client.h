// A client's end of one QUIC connection, over a UDP socket of its own: it does nothing but in
// turn(), and says on its streams what a test wants. RFC 9000. Owned by a test or a benchmark.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "certs/openssl.h"
#include "transports/library_memory.h"
#include "transports/quic/connection.h"
#include "transports/quic/datagrams.h"

namespace test {

/// One of the client's streams: what it says, and what has come back.
struct ClientStream final : transports::quic::Stream {
  std::vector<std::uint8_t> said;
  std::size_t sent = 0;
  bool all_said = false;  ///< FIN behind it
  bool fin_sent = false;
  bool blocked = false;
  std::vector<std::uint8_t> heard;
  bool heard_all = false;
  bool was_reset = false;
  bool closed = false;
};

/// Streams, and nothing known of what is on them. Those of the peer are refused.
class ClientStreams final : public transports::quic::Codec {
 public:
  using Stream = transports::quic::Stream;
  explicit ClientStreams(transports::quic::Streams& connection) : connection_(connection) {}

  /// Null when the peer allows no more of them.
  ClientStream* open(bool one_way = false);
  void say(ClientStream& stream, base::Bytes octets, bool fin);
  void reset(ClientStream& stream, std::uint64_t code);
  void stop(ClientStream& stream, std::uint64_t code);

  std::list<ClientStream> streams;

  // ---- for the connection
  void opened() override {}
  Stream* accept(transports::quic::StreamId) override { return nullptr; }
  void received(Stream& stream, base::Bytes octets, bool fin, bool early) override;
  void reset_by_peer(Stream& stream, std::uint64_t) override { of(stream).was_reset = true; }
  void stopped_by_peer(Stream& stream) override { unwritable(stream); }
  void acknowledged(Stream&, std::uint64_t) override {}
  bool closed(Stream& stream) override;
  transports::quic::Output next_output() override;
  void sent(Stream& stream, std::size_t octets) override;
  void blocked(Stream& stream) override { of(stream).blocked = true; }
  void unblocked(Stream& stream) override { of(stream).blocked = false; }
  void unwritable(Stream& stream) override;
  [[nodiscard]] bool idle() const override { return true; }
  [[nodiscard]] std::uint64_t no_error() const override { return 0; }

 private:
  static ClientStream& of(Stream& stream) { return static_cast<ClientStream&>(stream); }

  transports::quic::Streams& connection_;
};

/// What many clients share.
struct QuicClients {
  /// `context` is borrowed; `alpn` as on the wire, a literal.
  QuicClients(SSL_CTX& context, std::string_view alpn);

  SSL_CTX& tls;
  std::string_view alpn;
  transports::quic::Datagrams datagrams;
  transports::LibraryMemory library_memory;
  const ngtcp2_mem memory = transports::library_functions<ngtcp2_mem>(library_memory);
};

class QuicClient final : private transports::quic::Connection::Host {
 public:
  /// Dials 127.0.0.1; its first packet leaves with the first turn().
  QuicClient(QuicClients& all, std::uint16_t port);
  ~QuicClient();
  QuicClient(const QuicClient&) = delete;
  QuicClient& operator=(const QuicClient&) = delete;

  /// Takes what has come, lets what is due happen, sends what wants to leave; never blocks.
  void turn();
  /// Turns, and waits for datagrams and timers between them, until `holds`; false: it never does.
  bool turn_until(const std::function<bool()>& holds);
  /// Until the handshake is done.
  bool open() {
    return turn_until([this] { return is_open(); });
  }
  /// The whole of what comes back on a new stream that says `octets`; nothing: it does not come.
  std::optional<std::vector<std::uint8_t>> ask(base::Bytes octets);
  [[nodiscard]] bool is_open() const { return connection_->is_open(); }
  [[nodiscard]] bool is_over() const { return over_; }
  /// Once open, until over.
  [[nodiscard]] ClientStreams& streams() { return *codec_; }
  void close() { connection_->close_politely(); }
  [[nodiscard]] std::uint16_t port() const { return local_.port; }

 private:
  std::unique_ptr<transports::quic::Codec> make_codec(transports::quic::Connection&) override;
  bool issue_id(transports::quic::Connection&, ngtcp2_cid& id, std::uint8_t* reset_token) override;
  void retire_id(transports::quic::Connection&, const ngtcp2_cid&) override;
  void opened(transports::quic::Connection&) override {}
  void early_data(transports::quic::Connection&, transports::quic::EarlyData) override {}
  void closed(transports::quic::Connection&, transports::quic::End) override;
  void wants_turn(transports::quic::Connection&) override {}
  void migrated(transports::quic::Connection&) override {}

  QuicClients& all_;
  const int descriptor_;
  base::Endpoint local_;
  ClientStreams* codec_ = nullptr;  // the connection's
  bool over_ = false;
  std::unique_ptr<transports::quic::Connection> connection_;
};

}  // namespace test
