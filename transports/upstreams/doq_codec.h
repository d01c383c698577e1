// DoQ towards an upstream: one question per stream, its reply back on it. RFC 9250 §4.2-4.3, §5.4
// (padding). Owned by its connection; no longer called once the link has closed.
#pragma once

#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "transports/quic/codec.h"
#include "transports/upstreams/quic_link.h"

namespace transports {

class DoqCodec final : public quic::Codec, public QuestionCodec {
 public:
  static std::shared_ptr<QuicTerms> terms(const conf::Upstream& upstream,
                                          const UpstreamContext& context,
                                          std::shared_ptr<certs::ClientContext> client);
  DoqCodec(Link& link, quic::Streams& connection) : link_(link), connection_(connection) {}
  ~DoqCodec() override;

  // ---- for the link
  [[nodiscard]] bool room() const override { return connection_.streams_left() != 0; }
  void transmit(Waiting& waiting) override;
  void forget(Waiting& waiting) override;
  void forget_all() override;

  // ---- for the connection
  void opened() override {}
  quic::Stream* accept(quic::StreamId) override { return nullptr; }
  void received(quic::Stream& stream, base::Bytes octets, bool fin, bool early) override;
  void reset_by_peer(quic::Stream& stream, std::uint64_t code) override;
  void stopped_by_peer(quic::Stream& stream) override;
  void acknowledged(quic::Stream&, std::uint64_t) override {}
  bool closed(quic::Stream& stream) override;
  quic::Output next_output() override;
  void sent(quic::Stream& stream, std::size_t octets) override;
  void blocked(quic::Stream& stream) override;
  void unblocked(quic::Stream& stream) override;
  void unwritable(quic::Stream& stream) override;
  [[nodiscard]] bool idle() const override { return streams_.empty(); }
  [[nodiscard]] std::uint64_t no_error() const override;

 private:
  struct Exchange final : quic::Stream {
    Waiting* waiting = nullptr;  // null: nobody waits any more
    std::vector<std::uint8_t> query;
    std::size_t sent = 0;
    std::vector<std::uint8_t> reply;
    quic::ListHook of_codec;
    quic::ListHook of_sending;
  };
  template <quic::ListHook Exchange::* hook>
  using List =
      boost::intrusive::list<Exchange, boost::intrusive::constant_time_size<false>,
                             boost::intrusive::member_hook<Exchange, quic::ListHook, hook>>;

  static Exchange& of(quic::Stream& stream) { return static_cast<Exchange&>(stream); }
  void take_reply(Exchange& exchange);
  void give_up(Exchange& exchange, std::string_view why);

  Link& link_;
  quic::Streams& connection_;
  List<&Exchange::of_codec> streams_;  // owned
  List<&Exchange::of_sending> sending_;
};

}  // namespace transports
