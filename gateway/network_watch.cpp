// The socket of notices, and the wait for the end of a burst.
#include "gateway/network_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>

namespace gateway {
namespace {

constexpr std::uint32_t groups =
    RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;

int open_notices() {
  const int made = ::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (made < 0) return -1;
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return made;
  const int error = errno;
  ::close(made);
  errno = error;
  return -1;
}

}  // namespace

NetworkWatch::NetworkWatch(boost::asio::io_context& context, base::Log& log,
                           std::function<void()> changed)
    : log_(log),
      changed_(std::move(changed)),
      notices_(context.get_executor()),
      timer_(context.get_executor()) {}

void NetworkWatch::start() {
  const int made = open_notices();
  if (made < 0) {
    log_.warning("changes of the network will not be noticed",
                 {{"error", std::generic_category().message(errno)}});
    return;
  }
  notices_.assign(made);
  boost::asio::co_spawn(notices_.get_executor(), run(), boost::asio::detached);
}

transports::Awaitable<void> NetworkWatch::run() {
  using Descriptor = boost::asio::posix::descriptor_base;
  for (;;) {
    boost::system::error_code error;
    co_await notices_.async_wait(Descriptor::wait_read,
                                 boost::asio::redirect_error(transports::use_awaitable, error));
    if (error) co_return;
    if (!take_notices()) continue;
    co_await transports::sleep_until(timer_, base::Clock::now() + settling);
    take_notices();
    changed_();
  }
}

bool NetworkWatch::take_notices() {
  bool any = false;
  for (unsigned i = 0; i < notices_most; ++i) {
    char first;  // the rest of each is dropped
    const ssize_t size = ::recv(notices_.native_handle(), &first, sizeof first, MSG_TRUNC);
    if (size < 0 && errno == ENOBUFS) {
      any = true;  // there were more than the kernel kept for us
      continue;
    }
    if (size < 0) break;
    any = true;
  }
  return any;
}

}  // namespace gateway
