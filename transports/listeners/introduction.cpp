// Reading a PROXY header off a socket, and not an octet more. HAProxy's proxy-protocol.txt §2.
#include "transports/listeners/introduction.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace transports {

Introduction::Introduction(Host& host, ListenerContext& context, int descriptor,
                           const base::Endpoint& balancer, SessionPlace place)
    : host_(host),
      context_(context),
      place_(std::move(place)),
      socket_(context.io.get_executor(),
              balancer.address.is_v4() ? boost::asio::ip::tcp::v4() : boost::asio::ip::tcp::v6(),
              descriptor),
      balancer_(balancer) {}

void Introduction::start(base::TimePoint now) {
  context_.timers.set(*this, now + context_.limits.handshake_timeout);
  wait();
}

void Introduction::wait() {
  socket_.async_wait(Socket::wait_read, [this](boost::system::error_code) {
    if (!ended_) on_readable();
    if (ended_ || header_.state() == ProxyHeader::State::complete) {
      context_.timers.clear(*this);
      return host_.on_introduced(*this, base::Clock::now());
    }
    wait();
  });
}

/// Looks first and takes what belongs to the header then: what is behind it stays in the socket.
void Introduction::on_readable() {
  std::array<std::uint8_t, 256> octets;
  while (header_.state() == ProxyHeader::State::more) {
    const ssize_t count =
        ::recv(socket_.native_handle(), octets.data(), octets.size(), MSG_PEEK | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    // A balancer that looks whether we are there connects and says nothing.
    if (count <= 0) return begun_ ? refuse() : end();
    begun_ = true;
    const std::size_t taken = header_.take({octets.data(), static_cast<std::size_t>(count)});
    ::recv(socket_.native_handle(), octets.data(), taken, MSG_DONTWAIT);
  }
  if (header_.state() == ProxyHeader::State::invalid) refuse();
}

void Introduction::refuse() {
  context_.drops.proxy_header.add();
  end();
}

void Introduction::on_deadline(base::TimePoint) { refuse(); }

void Introduction::end() {
  if (std::exchange(ended_, true)) return;
  boost::system::error_code ignored;
  socket_.close(ignored);  // the wait ends now
}

std::optional<base::Endpoint> Introduction::client() const {
  if (ended_) return std::nullopt;
  return header_.client().value_or(balancer_);
}

}  // namespace transports
