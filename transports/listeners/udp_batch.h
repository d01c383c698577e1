// Datagrams received and sent many at a time, with the address each was sent to. recvmmsg(2),
// sendmmsg(2), IP_PKTINFO, RFC 3542 §6. Owned by a worker, whose UDP listeners share it: what is in
// it is done with before the wake-up ends.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/address.h"
#include "base/bytes.h"
#include "transports/query.h"

namespace transports {

/// Where a datagram came from and which of our addresses it was sent to: where its answer goes.
struct ReturnPath {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } client;
  alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(in6_pktinfo))> control;
  socklen_t client_size = 0;
  socklen_t control_size = 0;
};

class UdpBatch {
 public:
  static constexpr std::size_t slots = 32;
  static constexpr std::size_t packet_size_max = 4096;

  UdpBatch();
  UdpBatch(const UdpBatch&) = delete;
  UdpBatch& operator=(const UdpBatch&) = delete;

  /// Takes what waits on the socket, `slots` at most, and forgets the batch before. Gives the
  /// number of datagrams; never blocks.
  std::size_t receive(int descriptor);

  [[nodiscard]] base::Bytes packet(std::size_t slot) const;
  /// It was longer than packet_size_max; only its beginning is here.
  [[nodiscard]] bool is_cut(std::size_t slot) const;
  /// What the listener makes of the packet.
  [[nodiscard]] Query& query(std::size_t slot) { return memory_->queries[slot]; }
  [[nodiscard]] std::span<const Query> queries(std::size_t count) const {
    return std::span{memory_->queries}.first(count);
  }
  [[nodiscard]] base::Endpoint client(std::size_t slot) const;
  [[nodiscard]] const ReturnPath& return_path(std::size_t slot) const {
    return memory_->paths[slot];
  }

  /// Memory for the slot's answer; reply() queues its first `size` octets.
  [[nodiscard]] base::MutableBytes reply_memory(std::size_t slot);
  void reply(std::size_t slot, std::size_t size);

  /// Sends what was queued. See send_all(); `refused` is given the slot.
  template <class Refused>
  void send(int descriptor, Refused&& refused) {
    send_all(descriptor, {outgoing_.data(), std::exchange(queued_, 0)},
             [this, &refused](std::size_t i, int error, bool again) {
               return refused(queued_slots_[i], error, again);
             });
  }

  /// Sends datagrams. `refused(index, errno, again)` is called for each that the kernel does not
  /// take: it gives 0, or, once, a new size of that datagram to be tried.
  template <class Refused>
  static void send_all(int descriptor, std::span<mmsghdr> messages, Refused&& refused) {
    std::size_t sent = 0;
    bool again = false;
    while (sent < messages.size()) {
      const Sent outcome = send_some(descriptor, messages.subspan(sent));
      if (outcome.error == 0) {
        sent += outcome.count;
        again = false;
        continue;
      }
      const std::size_t size = refused(sent, outcome.error, again);
      messages[sent].msg_hdr.msg_iov->iov_len = size;
      if (size == 0 || again) {
        ++sent;
        again = false;
      } else {
        again = true;
      }
    }
  }

 private:
  // The slots' beginnings would all fall into one set of the processor's caches if the stride were
  // a power of two.
  static constexpr std::size_t stride = packet_size_max + 192;

  struct Memory {
    std::array<ReturnPath, slots> paths;
    std::array<Query, slots> queries;
    std::array<std::array<std::uint8_t, stride>, slots> incoming;
    std::array<std::array<std::uint8_t, stride>, slots> outgoing;
  };

  struct Sent {
    std::size_t count;
    int error;
  };
  static Sent send_some(int descriptor, std::span<mmsghdr> messages);

  std::unique_ptr<Memory> memory_;
  std::array<mmsghdr, slots> incoming_{};
  std::array<mmsghdr, slots> outgoing_{};
  std::array<iovec, slots> incoming_parts_{};
  std::array<iovec, slots> outgoing_parts_{};
  std::array<std::size_t, slots> queued_slots_{};
  std::size_t used_ = slots;  // headers whose sizes the kernel may have changed
  std::size_t queued_ = 0;
};

/// Points a header at `path` and `part`.
void address_reply(msghdr& header, const ReturnPath& path, iovec& part);

/// To be called once for each received datagram: IP_PKTINFO comes as "sent to", and goes as "send
/// from".
void turn_around(ReturnPath& path);

}  // namespace transports
