// DNS over HTTP/3: each question on a stream of its own, as many at once as the server takes. RFC
// 8484, RFC 9114 §4.1 (requests), §5.2 (GOAWAY, and what was not processed). Owned by its
// connection.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <memory>

#include "transports/http3/session.h"
#include "transports/upstreams/doh_ask.h"
#include "transports/upstreams/quic_link.h"

namespace transports {

class Http3Codec final : public http3::Session, public QuestionCodec {
 public:
  static std::shared_ptr<QuicTerms> terms(const conf::Upstream& upstream,
                                          const UpstreamContext& context,
                                          std::shared_ptr<certs::ClientContext> client);
  /// `target` and `memory` outlive it.
  Http3Codec(Link& link, quic::Streams& streams, const DohTarget& target, LibraryMemory& memory);
  ~Http3Codec() override;

  // ---- for the link
  [[nodiscard]] bool room() const override { return room_for_requests() > 0; }
  void transmit(Waiting& waiting) override;
  void forget(Waiting& waiting) override;
  void forget_all() override;

  // ---- for the connection
  [[nodiscard]] bool idle() const override { return exchanges_.empty(); }

 private:
  struct Exchange;

  http3::Stream* on_open() override { return nullptr; }  // servers do not ask
  void on_field(http3::Stream& stream, std::string_view name, std::string_view value) override;
  void on_too_many_fields(http3::Stream& stream) override;
  void on_content(http3::Stream& stream, base::Bytes octets) override;
  void on_whole(http3::Stream& stream) override;
  void on_reset(http3::Stream& stream, std::uint64_t code) override;
  bool on_closed(http3::Stream& stream) override;
  void on_goaway(quic::StreamId first) override;
  void on_abuse() override;

  Link& link_;
  const DohTarget& target_;
  boost::unordered_flat_map<quic::StreamId, std::unique_ptr<Exchange>> exchanges_;
  bool told_of_goaway_ = false;
};

}  // namespace transports
