// Messages with their lengths over TCP or TLS: pipelined, answered in any order, matched by id and
// question. RFC 7766 §6.2.1, §7 and §8, RFC 7858 §3.3, RFC 7828 §3.4 (idle timeout), RFC 8467 §4.1
// (padding). Owned by its link.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "transports/framing.h"
#include "transports/upstreams/outbox.h"
#include "transports/upstreams/stream_link.h"
#include "transports/upstreams/upstreams.h"

namespace transports {

class FramedCodec final : public StreamCodec {
 public:
  static LinkMaker links(const conf::Upstream& upstream, const UpstreamContext& context,
                         Secrets secrets);
  FramedCodec(Link& link, bool encrypted) : link_(link), encrypted_(encrypted) {}

  [[nodiscard]] bool room() const override;
  void transmit(Waiting& waiting) override;
  void forget(Waiting& waiting) override;
  void take(base::Bytes octets) override;
  base::Bytes next_to_write() override;
  void written(std::size_t octets) override { outbox_.written(octets); }
  std::string_view end_of_stream() override;

 private:
  bool take_message(base::Bytes message);
  void note_keepalive(const ReplyEdns& edns);
  std::uint16_t free_id();

  Link& link_;
  const bool encrypted_;
  bool greeted_ = false;  // a query has left
  /// In flight by id. Nobody waits any more behind nullptr: the id stays taken until its late reply
  /// or the link's end.
  boost::unordered_flat_map<std::uint16_t, Waiting*> in_flight_;
  std::size_t forgotten_ = 0;
  Outbox outbox_;
  FrameReader frames_;
};

}  // namespace transports
