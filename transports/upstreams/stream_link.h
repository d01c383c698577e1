// A link over one TCP connection, with TLS or without: dials, reads and writes. What the octets
// mean is its codec's: messages with their lengths, HTTP/2, HTTP/1.1. RFC 7766 §8 (what is asked in
// one turn leaves in one write). Owned as every link.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "transports/turn.h"
#include "transports/upstreams/connection.h"
#include "transports/upstreams/link.h"

namespace transports {

/// What is spoken over the stream. Owned by its link, and no longer called once that has closed.
class StreamCodec {
 public:
  virtual ~StreamCodec() = default;
  StreamCodec() = default;
  StreamCodec(const StreamCodec&) = delete;
  StreamCodec& operator=(const StreamCodec&) = delete;

  // As Link's.
  [[nodiscard]] virtual bool room() const = 0;
  virtual void transmit(Waiting& waiting) = 0;
  virtual void forget(Waiting& waiting) = 0;

  /// Octets that have arrived. Closes the link over what cannot be understood.
  virtual void take(base::Bytes octets) = 0;
  /// What is to be written next, over TLS in records of its own; empty: nothing. Valid until
  /// written(), which says how much of it the socket took.
  virtual base::Bytes next_to_write() = 0;
  virtual void written(std::size_t octets) = 0;
  /// The peer sends no more, and the link ends over it: what that means, in words.
  virtual std::string_view end_of_stream() = 0;
  /// The link ends: what may still be said to the peer is in next_to_write().
  virtual void say_goodbye() {}
};

/// What an upstream's connections need beside its settings.
struct Secrets {
  std::shared_ptr<certs::ClientContext> tls{};  ///< empty for TCP
  std::string proxy_login{};
};

/// What the links of an upstream over streams have in common.
struct StreamTerms : LinkTerms {
  using MakeCodec =
      std::function<std::unique_ptr<StreamCodec>(Link&, StreamTerms&, const Connection&)>;
  using Octets = std::array<std::uint8_t, 16384>;

  StreamTerms(const conf::Upstream& upstream, const UpstreamContext& context, Secrets secrets,
              MakeCodec make);

  Reach reach;  ///< of `upstream`, which stays where it is
  ChannelBuffers& receive_buffer;
  MakeCodec make_codec;            ///< for a connection that stands
  std::unique_ptr<Octets> octets;  ///< what a read gave, until it is taken
  /// Its server was last seen to take one question at a time: no use to have several wait for a
  /// connection.
  bool one_at_a_time = false;
};

class StreamLink final : public Link, private Turn::Task {
 public:
  static LinkMaker maker(std::shared_ptr<StreamTerms> terms);
  explicit StreamLink(std::shared_ptr<StreamTerms> terms);
  static std::shared_ptr<StreamLink> dial(std::shared_ptr<StreamTerms> terms, UnderWay& under_way);
  [[nodiscard]] const Connection& connection() const { return connection_; }

 private:
  static Awaitable<void> run(std::shared_ptr<StreamLink> self, UnderWay::Mark mark);
  static Awaitable<void> write_when_possible(std::shared_ptr<StreamLink> self, UnderWay::Mark mark);
  Awaitable<void> read_all();

  [[nodiscard]] bool room() const override;
  void transmit(Waiting& waiting) override;
  void forget(Waiting& waiting) override;
  void take_arrived() override;
  [[nodiscard]] bool unacknowledged(base::TimePoint since) override {
    return connection_.unacknowledged(since);
  }
  void disconnect() override;

  void flush();
  void at_end_of_turn() override;

  StreamTerms& stream_terms_;  // the base keeps them
  Connection connection_;
  std::unique_ptr<StreamCodec> codec_;  // once the connection stands
  Turn& turn_;
  bool write_blocked_ = false;  // the socket is full
  Timer writer_timer_;
};

}  // namespace transports
