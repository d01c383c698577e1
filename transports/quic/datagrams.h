// Datagrams received and sent many at a time: recvmmsg(2) with UDP_GRO, sendmmsg(2) with
// UDP_SEGMENT (udp(7)), ECN both ways (RFC 3168, RFC 9000 §13.4), the address that was asked as the
// one that replies (IP_PKTINFO, RFC 3542 §6). Owned by a worker, whose QUIC endpoints share it:
// what is in it is done with before the wake-up ends.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "transports/quic/library.h"

namespace transports::quic {

/// As it came: `octets` is good until the next receive().
struct Datagram {
  Path path;
  std::uint8_t ecn = 0;
  base::Bytes octets;
};

class Datagrams {
 public:
  static constexpr std::size_t slots = 16;
  /// What one sendmsg takes with segmentation (and at most 64 segments).
  static constexpr std::size_t burst_size_max =
      64 * datagram_size < 65000 ? 64 * datagram_size : 54 * datagram_size;

  Datagrams();
  Datagrams(const Datagrams&) = delete;
  Datagrams& operator=(const Datagrams&) = delete;

  /// Options that a socket needs for this; what the system does not know is left out.
  static void prepare(int descriptor, bool v6);

  /// Takes what waits on the socket, `slots` messages at most; each may be many datagrams of one
  /// client. Gives the number of messages; never blocks. `local` is the socket's own address, for
  /// datagrams that do not say where they were sent to.
  std::size_t receive(int descriptor, const base::Endpoint& local);
  /// Calls for every datagram of the message in `slot`.
  template <class Take>
  void each(std::size_t slot, Take&& take) {
    const Incoming& message = memory_->incoming[slot];
    Datagram datagram{.path = message.path, .ecn = message.ecn, .octets = {}};
    base::Bytes rest{memory_->octets[slot].data(), message.size};
    while (!rest.empty()) {
      datagram.octets = rest.first(std::min(message.segment, rest.size()));
      rest = rest.subspan(datagram.octets.size());
      take(datagram);
    }
  }

  /// Memory for `burst_size_max` octets to one client; what was queued before goes out first if
  /// there is not so much left.
  base::MutableBytes room(int descriptor);
  /// Queues the first `size` octets of room() as datagrams of `segment` octets, the last one of
  /// what is left.
  void queue(const ngtcp2_path& path, std::uint8_t ecn, std::size_t size, std::size_t segment);
  /// Sends what was queued. The kernel may refuse: lost datagrams are what QUIC is made for.
  void send(int descriptor);

  /// Datagrams that the kernel did not take since the last call.
  std::size_t take_refused() { return std::exchange(refused_, 0); }
  std::size_t take_sent() { return std::exchange(sent_, 0); }

 private:
  static constexpr std::size_t message_size_max = 65536;
  static constexpr std::size_t arena_size = 4 * burst_size_max;
  static constexpr std::size_t queue_max = 64;
  using Control =
      std::array<std::uint8_t, CMSG_SPACE(sizeof(in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int))>;

  struct Incoming {
    Path path;
    alignas(cmsghdr) Control control;
    std::uint8_t ecn;
    std::size_t size;
    std::size_t segment;
  };
  struct Outgoing {
    Path path;
    alignas(cmsghdr) Control control;
    std::uint8_t ecn;
    base::MutableBytes octets;
    std::size_t segment;
  };
  struct Memory {
    std::array<Incoming, slots> incoming;
    std::array<std::array<std::uint8_t, message_size_max>, slots> octets;
    std::array<Outgoing, queue_max> outgoing;
    std::array<std::uint8_t, arena_size> arena;
  };

  static void read_control(msghdr& header, Incoming& message);
  void address(msghdr& header, Outgoing& message, iovec& part, bool segmented);
  void send_one_by_one(int descriptor, Outgoing& message);

  std::unique_ptr<Memory> memory_;
  std::size_t queued_ = 0;
  std::size_t arena_used_ = 0;
  std::size_t refused_ = 0;
  std::size_t sent_ = 0;
  bool segmentation_ = true;  // until the kernel refuses it once
};

}  // namespace transports::quic
