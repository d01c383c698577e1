// One connected UDP socket for one query: its port is the kernel's random choice, and only the
// asked address can be heard. RFC 5452 §9.2. Owned by the exchange that opened it.
#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <expected>
#include <system_error>

#include "base/address.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "transports/awaitable.h"
#include "transports/upstreams/timer.h"

namespace transports {

class UdpSocket {
 public:
  /// The error is what socket(2) or connect(2) said.
  static std::expected<UdpSocket, std::error_code> open(Executor executor,
                                                        const base::Endpoint& peer);

  /// The error is what send(2) said; ICMP's answers to earlier datagrams come this way, too.
  std::error_code send(base::Bytes datagram);
  /// The next datagram's size, as it was sent: more than `into` holds when it was cut. EAGAIN when
  /// there is none.
  std::expected<std::size_t, std::error_code> receive(base::MutableBytes into);
  /// Returns when something may have come, at `until`, or after cancel().
  Awaitable<void> wait(base::TimePoint until);
  void cancel();
  /// The address we speak from: 4 or 16 octets.
  base::Bytes local_address(std::array<std::uint8_t, 16>& into);

 private:
  UdpSocket(Executor executor, int descriptor)
      : descriptor_(executor, descriptor), timer_(executor) {}

  boost::asio::posix::basic_stream_descriptor<Executor> descriptor_;
  Timer timer_;
};

}  // namespace transports
