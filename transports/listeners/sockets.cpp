// Listening sockets.
#include "transports/listeners/sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include "transports/descriptor.h"

namespace transports {

namespace {

constexpr int receive_buffer = 4 << 20;
constexpr int send_buffer = 1 << 20;
constexpr int accept_backlog = 4096;  // the system's somaxconn stands above
constexpr int first_free_port = 1024;

std::string reason_of(int error, const conf::ListenAddress& address) {
  switch (error) {
    case EACCES:
      return address.endpoint.port != 0 && address.endpoint.port < first_free_port
                 ? "permission denied; ports below 1024 need CAP_NET_BIND_SERVICE"
                 : "permission denied";
    case EADDRINUSE: return "another program listens there already";
    case EADDRNOTAVAIL: return "this address is not one of this machine's";
    case EAFNOSUPPORT: return "this system has no IPv6";
    case EMFILE: return "too many open files; raise the limit (ulimit -n, LimitNOFILE=)";
    default: return std::generic_category().message(error);
  }
}

[[noreturn]] void fail(const conf::ListenAddress& address) {
  const int error = errno;
  throw std::runtime_error(address.text + ": " + reason_of(error, address));
}

bool set(int descriptor, int level, int option, int value) {
  return ::setsockopt(descriptor, level, option, &value, sizeof value) == 0;
}

Descriptor open(const conf::ListenAddress& address, int type) {
  const bool v6 = !address.endpoint.address.is_v4();
  Descriptor made(::socket(v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (made.get() < 0) fail(address);
  // [::] is IPv6 alone, so that it may stand beside 0.0.0.0.
  if (v6 && !set(made.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1)) fail(address);
  return made;
}

void bind_to(const Descriptor& socket, const conf::ListenAddress& address) {
  sockaddr_storage storage{};
  const socklen_t size = address.endpoint.to_sockaddr(storage);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) fail(address);
}

/// Don't Fragment on every answer, and no belief in path MTUs that anybody may announce by ICMP.
void forbid_fragments(int descriptor, bool v6) {
  if (v6) {
    set(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    set(descriptor, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
  } else {
    set(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  }
}

/// What a socket that listens and one that only answers have in common.
Descriptor open_shared_udp(const conf::ListenAddress& address) {
  Descriptor made = open(address, SOCK_DGRAM);
  if (!set(made.get(), SOL_SOCKET, SO_REUSEPORT, 1)) fail(address);
  set(made.get(), SOL_SOCKET, SO_SNDBUF, send_buffer);
  forbid_fragments(made.get(), !address.endpoint.address.is_v4());
  return made;
}

}  // namespace

Descriptor open_udp_socket(const conf::ListenAddress& address) {
  Descriptor socket = open_shared_udp(address);
  const int descriptor = socket.get();
  const bool v6 = !address.endpoint.address.is_v4();
  // FORCE needs CAP_NET_ADMIN; without it the system's rmem_max is the most.
  if (!set(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer)) {
    set(descriptor, SOL_SOCKET, SO_RCVBUF, receive_buffer);
  }
  if (address.endpoint.address.is_unspecified()) {
    const bool told = v6 ? set(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                         : set(descriptor, IPPROTO_IP, IP_PKTINFO, 1);
    if (!told) fail(address);
  }
  bind_to(socket, address);
  return socket;
}

Descriptor open_answering_socket(const conf::ListenAddress& address) {
  Descriptor socket = open_shared_udp(address);
  bind_to(socket, address);
  sockaddr_storage itself{};
  const socklen_t size = address.endpoint.to_sockaddr(itself);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&itself), size) != 0) fail(address);
  return socket;
}

Descriptor open_tcp_socket(const conf::ListenAddress& address) {
  Descriptor socket = open(address, SOCK_STREAM);
  const int descriptor = socket.get();
  // REUSEADDR: connections of a run before, in TIME_WAIT, must not keep this one from starting.
  if (!set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) ||
      !set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1)) {
    fail(address);
  }
  set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);  // accepted sockets inherit it
  bind_to(socket, address);
  if (::listen(descriptor, accept_backlog) != 0) fail(address);
  return socket;
}

base::Endpoint local_endpoint_of(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* any = reinterpret_cast<sockaddr*>(&storage);
  if (::getsockname(descriptor, any, &size) != 0) return {};
  return base::Endpoint::from_sockaddr(*any);
}

void require_free(const conf::ListenAddress& address) {
  const bool stream = conf::row_of(address.protocol).socket == conf::Socket::tcp;
  const Descriptor socket = open(address, stream ? SOCK_STREAM : SOCK_DGRAM);
  if (stream && !set(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1)) fail(address);
  bind_to(socket, address);
  if (stream && ::listen(socket.get(), 1) != 0) fail(address);
}

}  // namespace transports
