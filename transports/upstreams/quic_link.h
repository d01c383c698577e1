// A link over one QUIC connection, from a socket of its own: dials, reads, writes, keeps its
// timers. RFC 9000, RFC 9250 §5.5. Owned as every link.
#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "certs/tls_context.h"
#include "transports/library_memory.h"
#include "transports/quic/connection.h"
#include "transports/quic/datagrams.h"
#include "transports/turn.h"
#include "transports/upstreams/link.h"
#include "transports/upstreams/timer.h"

namespace transports {

/// What is spoken over a connection, as its link sees it. Owned by the connection; no longer called
/// once the link has closed.
class QuestionCodec {
 public:
  // As Link's.
  [[nodiscard]] virtual bool room() const = 0;
  virtual void transmit(Waiting& waiting) = 0;
  virtual void forget(Waiting& waiting) = 0;
  /// Nobody waits for anything any more.
  virtual void forget_all() = 0;

 protected:
  ~QuestionCodec() = default;
};

/// What the links of an upstream over QUIC have in common.
struct QuicTerms : LinkTerms {
  /// A codec, and itself as a QuestionCodec.
  using Made = std::pair<std::unique_ptr<quic::Codec>, QuestionCodec*>;
  using MakeCodec = std::function<Made(Link&, quic::Streams&)>;

  QuicTerms(const conf::Upstream& upstream, const UpstreamContext& context,
            std::shared_ptr<certs::ClientContext> client, quic::StreamLimits limits,
            MakeCodec make);

  const quic::StreamLimits streams;
  const quic::QlogPlace* const qlogs;
  const MakeCodec make_codec;
  std::size_t first_place = 0;  ///< of its places: where it was found last
  std::shared_ptr<certs::ClientContext> tls;
  std::vector<std::uint8_t> token;  ///< of NEW_TOKEN: proves our address to the next connection
  std::unique_ptr<quic::Datagrams> datagrams;
  LibraryMemory library_memory;  ///< of the connections
  const ngtcp2_mem memory = library_functions<ngtcp2_mem>(library_memory);
  bool verify = true;  ///< false for people who look for what is wrong, never for a pool's link
};

class QuicLink final : public Link, private quic::Connection::Host, private Turn::Task {
 public:
  static LinkMaker maker(std::shared_ptr<QuicTerms> terms);
  explicit QuicLink(std::shared_ptr<QuicTerms> terms);
  static std::shared_ptr<QuicLink> dial(std::shared_ptr<QuicTerms> terms, UnderWay& under_way);

  /// Once open, and for as long as the link lives.
  [[nodiscard]] const SSL& tls() const { return *tls_; }
  [[nodiscard]] const quic::Facts& facts() const { return facts_; }

 private:
  using Link::closed;
  using Link::opened;
  using Descriptor = boost::asio::posix::basic_stream_descriptor<Executor>;

  static Awaitable<void> run(std::shared_ptr<QuicLink> self, UnderWay::Mark mark);
  /// Both give nothing on success.
  Awaitable<std::optional<Failure>> connect(const base::Endpoint& place,
                                            base::Clock::duration patience);
  std::optional<Failure> dial(const base::Endpoint& place, base::Clock::duration patience);
  Awaitable<void> turn();
  void begin();
  void take_datagrams();
  void let_leave();
  void at_end_of_turn() override;
  Awaitable<void> wait();
  void end();
  void wake();
  [[nodiscard]] Failure dial_failure() const;
  [[nodiscard]] bool is_over() const { return !connection_ || connection_->has_closed(); }

  // as a Link
  [[nodiscard]] bool room() const override {
    // Open and without a codec it is over: its coroutine has not said so yet.
    return question_codec_ != nullptr ? question_codec_->room() : !is_open();
  }
  void transmit(Waiting& waiting) override { question_codec_->transmit(waiting); }
  void forget(Waiting& waiting) override {
    if (question_codec_ != nullptr) question_codec_->forget(waiting);
  }
  void take_arrived() override;
  [[nodiscard]] bool unacknowledged(base::TimePoint /*since*/) override {
    return connection_->unacknowledged();
  }
  void disconnect() override;

  // as the connection's host
  std::unique_ptr<quic::Codec> make_codec(quic::Connection& connection) override;
  bool issue_id(quic::Connection& connection, ngtcp2_cid& id, std::uint8_t* reset_token) override;
  void retire_id(quic::Connection& connection, const ngtcp2_cid& id) override;
  void opened(quic::Connection&) override { handshake_done_ = true; }
  void closed(quic::Connection& connection, quic::End end) override;
  void wants_turn(quic::Connection& connection) override;
  void migrated(quic::Connection&) override {}
  void early_data(quic::Connection&, quic::EarlyData result) override;
  void new_token(quic::Connection&, base::Bytes token) override;

  QuicTerms& quic_terms_;  // the base keeps them
  Descriptor descriptor_;
  HostWaiter host_;
  base::Endpoint local_;
  QuestionCodec* question_codec_ = nullptr;  // the connection's codec
  std::unique_ptr<quic::Connection> connection_;
  certs::SslPtr tls_;  // the connection's
  quic::Facts facts_;
  Timer timer_;
  Turn& turn_;
  bool handshake_done_ = false;
  base::TimePoint sleeps_until_ = base::TimePoint::min();  // the coroutine, if it does
  bool only_till_when_ = false;  // it was woken for no more than to sleep less long
  bool refused_ = false;         // "port unreachable" came back
  std::optional<quic::End> ended_;
  std::string verify_error_;
};

}  // namespace transports
