// Opening the listeners' sockets, and saying in a sentence why one cannot be opened.
#pragma once

#include <cstdint>

#include "conf/config.h"

namespace transports {

/// A bound, non-blocking UDP socket: its own queue beside those of other workers (SO_REUSEPORT), 4
/// MB of receive buffer as far as the system grants it, answers never fragmented (RFC 9715 §3.1),
/// and, on a wildcard address, told which address each datagram was sent to. The caller owns it.
/// Throws std::runtime_error with a sentence.
int open_udp_socket(const conf::ListenAddress& address);

/// A bound, non-blocking, listening TCP socket with SO_REUSEPORT. The caller owns it. Throws
/// std::runtime_error with a sentence.
int open_tcp_socket(const conf::ListenAddress& address);

/// The local address of a socket.
base::Endpoint local_endpoint_of(int descriptor);

/// Throws std::runtime_error with a sentence when somebody else listens there. SO_REUSEPORT would
/// let two gateways of one user share a port without a word; the first worker must ask before.
void require_free(const conf::ListenAddress& address);

}  // namespace transports
