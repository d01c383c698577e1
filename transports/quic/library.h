// What the rest of this folder sees of ngtcp2: time and addresses in its types and ours. RFC 9000.
#pragma once

#include <netinet/in.h>
#include <ngtcp2/ngtcp2.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>

#include "base/address.h"
#include "base/bytes.h"
#include "base/clock.h"

namespace transports::quic {

using StreamId = std::int64_t;

/// The smallest datagram that may open a connection (RFC 9000 §14.1), and the largest that we send:
/// no path is probed for more, as answers are small.
inline constexpr std::size_t datagram_size = NGTCP2_MAX_UDP_PAYLOAD_SIZE;

inline ngtcp2_tstamp stamp_of(base::TimePoint when) {
  return static_cast<ngtcp2_tstamp>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count());
}

/// Read anew for each call of the library: a connection whose clock stands still or steps back ends
/// in an assertion (CVE-2026-14586).
inline ngtcp2_tstamp stamp_now() { return stamp_of(base::Clock::now()); }

inline base::TimePoint time_of(ngtcp2_tstamp stamp) {
  // UINT64_MAX: never.
  constexpr auto most = static_cast<ngtcp2_tstamp>(INT64_MAX);
  return base::TimePoint(std::chrono::duration_cast<base::Clock::duration>(
      std::chrono::nanoseconds(static_cast<std::int64_t>(stamp < most ? stamp : most))));
}

inline ngtcp2_duration duration_of(std::chrono::nanoseconds duration) {
  return static_cast<ngtcp2_duration>(duration.count());
}

/// Both ends of a datagram's way, ours as local.
struct Path {
  ngtcp2_sockaddr_union local{};
  ngtcp2_sockaddr_union remote{};
  ngtcp2_socklen local_size = 0;
  ngtcp2_socklen remote_size = 0;

  /// Borrows this.
  [[nodiscard]] ngtcp2_path view() {
    return {.local = {.addr = &local.sa, .addrlen = local_size},
            .remote = {.addr = &remote.sa, .addrlen = remote_size},
            .user_data = nullptr};
  }
  [[nodiscard]] base::Endpoint client() const { return base::Endpoint::from_sockaddr(remote.sa); }
};

inline base::Bytes octets_of(const ngtcp2_cid& id) { return {id.data, id.datalen}; }

}  // namespace transports::quic
