// A QUIC connection, of either role: packets in, packets out, streams to its codec, timers, and the
// end. RFC 9000, RFC 9001, RFC 9002, by ngtcp2. Owned by its host; everything on one thread.
// Nothing is destroyed inside a call of the library: what has ended says so, and its host takes it
// away.
#pragma once

#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_ossl.h>

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "certs/early_data.h"
#include "certs/openssl.h"
#include "transports/channel.h"
#include "transports/quic/codec.h"
#include "transports/quic/datagrams.h"
#include "transports/quic/early_tickets.h"
#include "transports/quic/library.h"
#include "transports/quic/qlog.h"
#include "transports/quic/secrets.h"

namespace transports::quic {

using ListHook =
    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
using SetHook =
    boost::intrusive::set_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// What a connection is, for people.
struct Facts {
  std::uint32_t version = 0;  ///< RFC 9000 §15
  bool retried = false;       ///< the server had the client prove its address first (§8.1.2)
};

/// How a connection ended, for metrics.
enum class End : std::uint8_t { peer, idle, handshake_timeout, handshake_failed, error, drained };

/// What became of octets that came, or went, with the first packets.
enum class EarlyData : std::uint8_t {
  accepted,
  rejected,  ///< as if it had never been: what we had sent has to be sent again
  replayed,  ///< rejected, since the ticket has been used before
};

class Connection final : public Streams, private certs::EarlyGate {
 public:
  /// What a connection has around it: an endpoint of many, or a link's own socket.
  class Host {
   public:
    virtual std::unique_ptr<Codec> make_codec(Connection& connection) = 0;
    /// A new id of ours with its reset token. False: no randomness.
    virtual bool issue_id(Connection& connection, ngtcp2_cid& id, std::uint8_t* reset_token) = 0;
    virtual void retire_id(Connection& connection, const ngtcp2_cid& id) = 0;
    /// The handshake is done.
    virtual void opened(Connection& connection) = 0;
    /// It has closed; packets for its ids still come, and are answered by it, until it is finished.
    virtual void closed(Connection& connection, End end) = 0;
    /// It wants write() to be called at the end of this wake-up.
    virtual void wants_turn(Connection& connection) = 0;
    /// The peer's address has changed, and the new one is validated.
    virtual void migrated(Connection& connection) = 0;
    /// Ours, when it was rejected, before the codec that sent it is gone.
    virtual void early_data(Connection& connection, EarlyData result) = 0;
    /// The server gave a token for the next connection to it.
    virtual void new_token(Connection&, base::Bytes) {}

   protected:
    ~Host() = default;
  };

  struct Terms {
    StreamLimits streams;
    std::chrono::nanoseconds idle_timeout;
    std::chrono::nanoseconds handshake_timeout;
    const ngtcp2_mem* memory;          ///< of its host, which outlives it
    const QlogPlace* qlogs = nullptr;  ///< where to log; null: nowhere
    bool early_data = false;  ///< clients: is sent, when the session resumes one that allows it
  };
  /// A client's first packet, and what its token proved.
  struct Arrival {
    Path path;
    const ngtcp2_pkt_hd& initial;
    Secrets::Verdict token;
    ngtcp2_cid original;  ///< the id that the client chose, before a Retry
  };

  /// Before the first connection; again does no harm.
  static void prepare_library();
  /// `tls` has its role and settings from certs/. `early` counts tickets for early data; null: none
  /// is taken. Null when memory is short.
  static std::unique_ptr<Connection> accept(Host& host, Arrival arrival, const Terms& terms,
                                            certs::SslPtr tls, const Secrets& secrets,
                                            EarlyTickets* early);
  /// To a server, over `path`; the first packet leaves with write(). `token` is from an earlier
  /// connection's NEW_TOKEN, or empty.
  static std::unique_ptr<Connection> dial(Host& host, Path path, const Terms& terms,
                                          certs::SslPtr tls, base::Bytes token);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // ---- for the host
  enum class Outcome : std::uint8_t {
    taken,
    retry_wanted,  ///< the client's address must be proved first; the connection has ended
  };
  Outcome read(const Datagram& datagram);
  /// Writes what wants to leave.
  void write(Datagrams& out, int descriptor);
  /// Its time has come.
  void on_expiry();
  [[nodiscard]] base::TimePoint expiry() const { return expiry_; }
  /// To be destroyed by the host, after write().
  [[nodiscard]] bool finished() const { return state_ == State::finished; }
  [[nodiscard]] bool has_closed() const { return state_ >= State::closing; }
  [[nodiscard]] bool is_open() const { return state_ == State::open; }
  /// A client's streams may be opened although the handshake is not done; `begin_early` does so.
  [[nodiscard]] bool may_be_early() const { return early_ && state_ == State::handshaking; }
  void begin_early() { codec(); }
  /// Keeps with a session what a later connection that resumes it may do early. `tls` is that of a
  /// connection.
  static void keep_terms(SSL& tls, SSL_SESSION& session);
  /// Nothing is under way on it.
  [[nodiscard]] bool is_idle() const { return !codec_ || codec_->idle(); }
  /// Takes no new streams for long: the peer has the credit that it had, gets no more, and the
  /// connection closes as soon as its codec is idle.
  void drain();
  /// Closes with the codec's code for goodbye.
  void close_politely();
  [[nodiscard]] base::Endpoint peer() const override;
  /// These three of a server's only until it is open.
  [[nodiscard]] TlsFacts tls_facts() const { return facts_of(*tls_); }
  [[nodiscard]] base::Bytes alpn() const;
  [[nodiscard]] const SSL& tls() const { return *tls_; }
  /// Once open, until it has closed.
  [[nodiscard]] Facts facts() const;
  /// The peer has been owing an acknowledgement for longer than it takes (RFC 9002 §6.2).
  [[nodiscard]] bool unacknowledged() const;
  /// How long the peer keeps a silent connection; zero: it does not say.
  [[nodiscard]] std::chrono::nanoseconds peer_idle_timeout() const;

  // ---- for the codec
  void close(std::uint64_t application_code) override;
  void schedule() override { host_.wants_turn(*this); }
  void release(std::size_t octets) override;
  void release(Stream& stream, std::size_t octets) override;
  void grant_stream() override;
  [[nodiscard]] std::uint64_t streams_left() const override;
  [[nodiscard]] bool open(Stream& stream) override;
  [[nodiscard]] bool open_unidirectional(Stream& stream) override;
  void reset(Stream& stream, std::uint64_t application_code) override;
  void reset_writing(Stream& stream, std::uint64_t application_code) override;
  void stop_reading(Stream& stream, std::uint64_t application_code) override;
  [[nodiscard]] Stream* find(StreamId id) const override;

  ListHook of_host;             ///< the host's list of all
  ListHook of_due;              ///< those that want a turn
  ListHook of_idle;             ///< open ones, by their last work
  SetHook of_expiry;            ///< by their time
  std::vector<ngtcp2_cid> ids;  ///< that lead to it; kept by the host, retired at the end

 private:
  friend struct Callbacks;
  enum class State : std::uint8_t { handshaking, open, closing, finished };

  Connection(Host& host, certs::SslPtr tls);
  bool prepare_tls(bool server);
  void start_qlog(const Terms& terms, const ngtcp2_cid& first_id, Qlog::Side side,
                  ngtcp2_settings& settings);

  ngtcp2_ssize write_packet(ngtcp2_path* path, ngtcp2_pkt_info* info, std::uint8_t* out,
                            std::size_t size, ngtcp2_tstamp now);
  void fail(int library_error);
  void say_goodbye(Datagrams& out, int descriptor);
  void end(End end);
  void release_library();
  void forget_tls();
  [[nodiscard]] bool is_server() const { return secrets_ != nullptr; }
  void answer_after_close(const Datagram& datagram);
  void update_expiry();
  void count_path_turn(base::TimePoint now);
  [[nodiscard]] base::TimePoint path_expiry() const;
  Codec& codec();
  void conclude_early_data();

  // as the gate of a client's early data
  std::size_t mark(std::uint8_t* out) override;
  bool admits(base::Bytes mark) override;

  // what the library tells (callbacks.cpp)
  void on_handshake_completed();
  int on_crypto_data(ngtcp2_encryption_level level, std::uint64_t offset, base::Bytes octets);
  int on_stream_open(StreamId id);
  void on_stream_closed(Stream* stream, StreamId id);
  void on_path_in_question();
  void on_path_settled(bool validated);

  Host& host_;
  ngtcp2_conn* library_ = nullptr;
  certs::SslPtr tls_;
  ngtcp2_crypto_ossl_ctx* tls_glue_ = nullptr;
  ngtcp2_crypto_conn_ref self_{};
  const Secrets* secrets_ = nullptr;       // a server's
  EarlyTickets* early_tickets_ = nullptr;  // null: no early data is taken
  StreamLimits limits_;                    // of ours, that a ticket promises
  bool address_proved_ = false;            // by a token
  bool early_ = false;                     // a client's: may be sent
  bool replayed_ = false;
  std::unique_ptr<Qlog> qlog_;  // before the library is gone it writes there
  std::unique_ptr<Codec> codec_;
  State state_ = State::handshaking;
  bool draining_ = false;
  bool goodbye_wanted_ = false;
  bool output_waits_ = false;  // octets of streams, for the pacer or for the peer
  ngtcp2_ccerr error_{};
  base::TimePoint expiry_{};
  base::TimePoint heard_at_{};  // the last packet that was the peer's

  // while a new path is in question (connection_paths.cpp)
  int path_turns_ = 0;
  base::TimePoint path_turn_at_{};

  // after the close
  std::vector<std::uint8_t> goodbye_;  // the packet that said so
  std::optional<Path> repeat_to_;
  std::uint32_t packets_after_close_ = 0;
};

}  // namespace transports::quic
