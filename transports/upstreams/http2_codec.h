// DNS over HTTP/2: each question on a stream of its own, as many at once as the server takes. RFC
// 8484, RFC 9113 §5.1.2 (concurrency), §6.8 and §8.7 (GOAWAY, and what was not processed). Owned by
// its link.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <memory>
#include <vector>

#include "transports/http2/session.h"
#include "transports/upstreams/doh_ask.h"
#include "transports/upstreams/outbox.h"
#include "transports/upstreams/stream_link.h"

namespace transports {

class Http2Codec final : public StreamCodec,
                         private http2::Session::Owner,
                         private http2::Session::Output {
 public:
  /// `target` and `memory` outlive it.
  Http2Codec(Link& link, const DohTarget& target, http2::Memory& memory);
  ~Http2Codec() override;

  [[nodiscard]] bool room() const override;
  void transmit(Waiting& waiting) override;
  void forget(Waiting& waiting) override;
  void take(base::Bytes octets) override;
  base::Bytes next_to_write() override;
  void written(std::size_t octets) override { outbox_.written(octets); }
  std::string_view end_of_stream() override { return "closed before the reply"; }
  void say_goodbye() override;

 private:
  struct Exchange;

  http2::Stream* on_open() override { return nullptr; }  // servers do not ask
  void on_field(http2::Stream& stream, std::string_view name, std::string_view value) override;
  void on_too_many_fields(http2::Stream& stream) override;
  void on_content(http2::Stream& stream, base::Bytes octets) override;
  void on_whole(http2::Stream& stream) override;
  void on_closed(http2::Stream& stream, std::uint32_t code) override;
  void on_goaway(std::int32_t last, std::uint32_t code) override;

  [[nodiscard]] bool has_room() const override { return outbox_.room(); }
  void put(base::Bytes octets) override { outbox_.append(octets); }

  void settle();
  void settle(Exchange& exchange);

  Link& link_;
  const DohTarget& target_;
  boost::unordered_flat_map<std::int32_t, std::unique_ptr<Exchange>> exchanges_;  // by stream
  std::vector<std::unique_ptr<Exchange>> ended_;  // during a call of the session, told after it
  bool going_away_ = false;
  Outbox outbox_;
  http2::Session session_;
};

}  // namespace transports
