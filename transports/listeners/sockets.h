// Opening the listeners' sockets, and saying in a sentence why one cannot be opened.
#pragma once

#include "conf/config.h"
#include "transports/descriptor.h"

namespace transports {

/// A bound, non-blocking UDP socket: its own queue beside those of other workers (SO_REUSEPORT), 4
/// MB of receive buffer as far as the system grants it, answers never fragmented (RFC 9715 §3.1),
/// and, on a wildcard address, told which address each datagram was sent to. Throws
/// std::runtime_error with a sentence.
Descriptor open_udp_socket(const conf::ListenAddress& address);

/// The socket by which the answers of such a one leave. Nobody waits on it: were it the one that a
/// reactor waits on, the kernel would tell the reactor of each datagram that has left, at a
/// thirtieth of what an answer costs. Connected to itself, so that no query is ever given to it
/// (what came between its binding and that is the caller's to take); an answer brings its own
/// address. `address` has the port that the listening socket got. Throws like the others.
Descriptor open_answering_socket(const conf::ListenAddress& address);

/// A bound, non-blocking, listening TCP socket with SO_REUSEPORT. Throws std::runtime_error with a
/// sentence.
Descriptor open_tcp_socket(const conf::ListenAddress& address);

/// The local address of a socket.
base::Endpoint local_endpoint_of(int descriptor);

/// Throws std::runtime_error with a sentence when somebody else listens there. SO_REUSEPORT would
/// let two gateways of one user share a port without a word; the first worker must ask before.
void require_free(const conf::ListenAddress& address);

}  // namespace transports
