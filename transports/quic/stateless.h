// What an endpoint answers without remembering anybody: version negotiation, Retry, stateless
// reset, refusal. RFC 9000 §6.1, §8.1.2, §10.3, §10.2; RFC 8999. Owned by its endpoint.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "transports/quic/datagrams.h"
#include "transports/quic/workspace.h"

namespace transports::quic {

class StatelessAnswers {
 public:
  explicit StatelessAnswers(Workspace& work) : work_(work) {}

  /// To a long header of a version that is not ours.
  void negotiate_version(const Datagram& datagram, const ngtcp2_version_cid& header,
                         int descriptor);
  /// To an Initial, for its address to be proved.
  void retry(const Datagram& datagram, const ngtcp2_pkt_hd& initial, int descriptor);
  /// To a short header of a connection that nobody knows.
  void reset(const Datagram& datagram, base::Bytes id, int descriptor);
  /// To an Initial that is not taken, with a transport error.
  void refuse(const Datagram& datagram, const ngtcp2_pkt_hd& initial, std::uint64_t code,
              int descriptor);

 private:
  /// So many per second at most, all kinds alike but Retry, which is for the busy times.
  bool may_answer();

  Workspace& work_;
  base::TimePoint counted_since_{};
  unsigned counted_ = 0;
};

}  // namespace transports::quic
