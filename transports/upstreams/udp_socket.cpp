// UdpSocket: the system calls.
#include "transports/upstreams/udp_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/cancel_at.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>
#include <cstring>

namespace transports {

namespace {
std::error_code last_error() { return {errno, std::system_category()}; }
}  // namespace

std::expected<UdpSocket, std::error_code> UdpSocket::open(Executor executor,
                                                          const base::Endpoint& peer) {
  sockaddr_storage address{};
  const unsigned size = peer.to_sockaddr(address);
  const int descriptor = ::socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return std::unexpected(last_error());
  // "Host unreachable" is told at once, and not only "port unreachable".
  const int on = 1;
  if (peer.address.is_v4()) {
    ::setsockopt(descriptor, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
  } else {
    ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
  }
  // connect() binds to a port that the kernel draws at random from ip_local_port_range.
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    const std::error_code error = last_error();
    ::close(descriptor);
    return std::unexpected(error);
  }
  return UdpSocket{executor, descriptor};
}

std::error_code UdpSocket::send(base::Bytes datagram) {
  for (;;) {
    if (::send(descriptor_.native_handle(), datagram.data(), datagram.size(), MSG_NOSIGNAL) >= 0)
      return {};
    if (errno != EINTR) return last_error();
  }
}

std::expected<std::size_t, std::error_code> UdpSocket::receive(base::MutableBytes into) {
  for (;;) {
    const ssize_t size = ::recv(descriptor_.native_handle(), into.data(), into.size(), MSG_TRUNC);
    if (size >= 0) return static_cast<std::size_t>(size);
    if (errno != EINTR) return std::unexpected(last_error());
  }
}

Awaitable<void> UdpSocket::wait(base::TimePoint until) {
  boost::system::error_code error;  // whatever woke us, receive() tells the rest
  co_await descriptor_.async_wait(
      boost::asio::posix::descriptor_base::wait_read,
      boost::asio::cancel_at(timer_, until, boost::asio::redirect_error(use_awaitable, error)));
}

void UdpSocket::cancel() {
  boost::system::error_code error;
  descriptor_.cancel(error);
}

base::Bytes UdpSocket::local_address(std::array<std::uint8_t, 16>& into) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(descriptor_.native_handle(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return {};
  const base::Address local =
      base::Endpoint::from_sockaddr(reinterpret_cast<const sockaddr&>(address)).address;
  into = local.octets();
  return base::Bytes{into}.first(local.is_v4() ? 4 : 16);
}

}  // namespace transports
