// DNS over HTTP/1.1, for servers that speak nothing newer: one question at a time, over connections
// that are kept. RFC 8484, RFC 9112 §6 (where a body ends), §9.3 (persistence). Owned by its link.
#pragma once

#include <memory>
#include <string>

#include "transports/upstreams/doh_ask.h"
#include "transports/upstreams/outbox.h"
#include "transports/upstreams/stream_link.h"

namespace transports {

class Http1Codec final : public StreamCodec {
 public:
  /// `target` outlives it.
  Http1Codec(Link& link, const DohTarget& target);
  ~Http1Codec() override;

  /// No pipelining: servers and proxies break over it (RFC 9112 §9.3.2 lets them).
  [[nodiscard]] bool room() const override { return ask_ == nullptr && outbox_.waiting().empty(); }
  void transmit(Waiting& waiting) override;
  void forget(Waiting& waiting) override;
  void take(base::Bytes octets) override;
  base::Bytes next_to_write() override { return outbox_.waiting(); }
  void written(std::size_t octets) override { outbox_.written(octets); }
  std::string_view end_of_stream() override;

 private:
  struct Response;

  [[nodiscard]] bool parse();
  bool take_head();
  void finish();
  void give_up(std::string_view why);

  Link& link_;
  const DohTarget& target_;
  std::unique_ptr<DohAsk> ask_;  // under way, even when nobody waits for it any more
  std::unique_ptr<Response> response_;
  std::string unread_;  // what the parser has not taken yet: of a head, or a chunk's size
  unsigned interim_ = 0;
  Outbox outbox_;
};

}  // namespace transports
