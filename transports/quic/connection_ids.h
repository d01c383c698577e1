// Our connection ids: random to everybody else, but each carries the worker that issued it, so that
// a client's datagrams find their connection wherever they come from. RFC 9000 §5.1, §9.5;
// draft-ietf- quic-load-balancers in spirit. Immutable; all workers share one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "transports/quic/library.h"

namespace transports::quic {

class ConnectionIds {
 public:
  static constexpr std::size_t size = 12;

  /// Throws when there is no randomness.
  ConnectionIds();

  /// A new id of `worker`, which is below 256. False when there is no randomness.
  [[nodiscard]] bool make(std::uint8_t worker, ngtcp2_cid& id) const;
  /// Whose id it is, if it is one of ours: what a stranger makes up names any worker.
  [[nodiscard]] std::uint8_t worker_of(base::Bytes id) const;

  /// Has the kernel give datagrams with a short header to the worker of their id, when `descriptor`
  /// is the first of its SO_REUSEPORT group and workers bind in their order (bpf(2), socket(7));
  /// all others go by their addresses' hash. False where the kernel does not let us.
  [[nodiscard]] bool steer(int descriptor) const;

 private:
  [[nodiscard]] std::uint32_t mask_of(std::uint32_t nonce) const;

  // Four random octets, then the worker under a mask made from them, then seven random octets. The
  // mask is what a classic BPF program can compute; it hides which ids have a worker in common.
  std::uint32_t first_key_;
  std::uint32_t second_key_;
};

}  // namespace transports::quic
