// Dialling: connect, handshake, and what went wrong in words.
#include "transports/upstreams/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/cancel_at.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>
#include <format>
#include <system_error>
#include <utility>
#include <vector>

#include "transports/upstreams/proxy_tunnel.h"

namespace transports {

namespace {

using boost::asio::posix::descriptor_base;

std::string text_of(int error) { return std::generic_category().message(error); }

Reason reason_of(int error) {
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL: return Reason::ours;
    case ETIMEDOUT: return Reason::timeout;
    default: return Reason::refused;
  }
}

}  // namespace

Connection::Connection(Executor executor, Reach& reach, ChannelBuffers& buffer)
    : reach_(reach),
      buffer_(buffer),
      descriptor_(executor),
      host_(executor, reach.host),
      read_timer_(executor),
      write_timer_(executor) {}

Connection::~Connection() = default;

Awaitable<std::optional<Failure>> Connection::open(base::TimePoint limit) {
  const std::vector<base::Endpoint> places = co_await host_.places(reach_.upstream, limit);
  if (closed_) co_return fail(Reason::closing, "closing");
  if (places.empty() && !reach_.upstream.proxy)
    co_return fail(Reason::unknown_host, host_.ignorance());
  if (places.empty()) co_return co_await open_at(nullptr, limit);
  std::optional<Failure> failure;
  for (std::size_t left = places.size(); left > 0; --left) {
    const std::size_t place = reach_.first_place % places.size();
    const base::TimePoint now = base::Clock::now();
    failure = co_await open_at(&places[place], now + (limit - now) / static_cast<int>(left));
    if (!failure || closed_) break;
    // Others that dial at the same time may have found a better one.
    if (reach_.first_place % places.size() == place) reach_.first_place = place + 1;
    if (left > 1) start_again();
  }
  if (failure && !closed_) host_.unreachable();
  co_return failure;
}

/// `place` is null when only the proxy knows where the upstream is.
Awaitable<std::optional<Failure>> Connection::open_at(const base::Endpoint* place,
                                                      base::TimePoint limit) {
  const base::TimePoint began = base::Clock::now();
  const std::optional<base::Endpoint>& proxy = reach_.upstream.proxy;
  if (std::optional<Failure> failure = co_await connect(proxy ? *proxy : *place, limit))
    co_return failure;
  if (proxy) {
    if (std::optional<Failure> failure = co_await pass_proxy(place, limit)) co_return failure;
  }
  const base::TimePoint connected = base::Clock::now();
  connect_took_ = connected - began;
  if (reach_.tls) {
    if (std::optional<Failure> failure = co_await shake_hands(limit)) co_return failure;
    handshake_took_ = base::Clock::now() - connected;
  } else {
    channel_.emplace(descriptor_.native_handle());
  }
  ready_ = true;
  co_return std::nullopt;
}

void Connection::start_again() {
  channel_.reset();
  boost::system::error_code error;
  descriptor_.close(error);
}

Awaitable<std::optional<Failure>> Connection::connect(const base::Endpoint& endpoint,
                                                      base::TimePoint limit) {
  sockaddr_storage address{};
  const unsigned size = endpoint.to_sockaddr(address);
  const int descriptor = ::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) co_return fail(Reason::ours, text_of(errno));
  boost::system::error_code full;  // epoll(7) takes no more
  descriptor_.assign(descriptor, full);
  if (full) {
    ::close(descriptor);
    co_return fail(Reason::ours, full.message());
  }
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on,
               sizeof on);  // we write whole batches ourselves
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), size) == 0)
    co_return std::nullopt;
  if (errno != EINPROGRESS) co_return fail(reason_of(errno), text_of(errno));

  co_await writable(limit);
  if (closed_) co_return fail(Reason::closing, "closing");
  sockaddr_storage peer{};
  socklen_t peer_size = sizeof peer;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0)
    co_return forget_writability();
  int error = 0;
  socklen_t error_size = sizeof error;
  ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &error_size);
  if (error != 0) co_return fail(reason_of(error), text_of(error));
  co_return fail(Reason::timeout, "no connection in time");
}

/// Asio goes on to ask for news of a socket's room once somebody has waited for that: each segment
/// that the peer confirms would wake us. A new registration has forgotten it.
std::optional<Failure> Connection::forget_writability() {
  const int descriptor = descriptor_.release();
  boost::system::error_code error;
  descriptor_.assign(descriptor, error);
  if (!error) return std::nullopt;
  ::close(descriptor);
  return fail(Reason::ours, error.message());
}

Awaitable<std::optional<Failure>> Connection::pass_proxy(const base::Endpoint* place,
                                                         base::TimePoint limit) {
  const std::string target =
      place != nullptr ? place->to_text()
                       : std::format("{}:{}", reach_.upstream.host, reach_.upstream.endpoint.port);
  const std::string request = proxy_request(target, reach_.proxy_login);
  ProxyAnswer answer;
  Channel channel(descriptor_.native_handle());
  base::Bytes left = base::as_bytes(request);
  std::array<std::uint8_t, 2048> octets;
  for (;;) {
    if (!left.empty()) left = left.subspan(channel.write(left).octets);
    const ChannelResult read = channel.read(octets);
    switch (answer.take(base::Bytes{octets}.first(read.octets))) {
      case ProxyAnswer::State::connected: co_return std::nullopt;
      case ProxyAnswer::State::refused: co_return fail(Reason::refused, answer.why());
      case ProxyAnswer::State::wanted: break;
    }
    if (read.status == ChannelStatus::closed || read.status == ChannelStatus::failed)
      co_return fail(Reason::refused, "the proxy closed before it connected");
    if (base::Clock::now() >= limit)
      co_return fail(Reason::timeout, "no connection through the proxy in time");
    if (read.status == ChannelStatus::ok) continue;
    if (left.empty()) {
      co_await readable(limit);
    } else {
      co_await writable(limit);
    }
    if (closed_) co_return fail(Reason::closing, "closing");
  }
}

Awaitable<std::optional<Failure>> Connection::shake_hands(base::TimePoint limit) {
  std::expected<certs::SslPtr, std::string> session = reach_.tls->make_session();
  if (!session) co_return fail(Reason::ours, session.error());
  if (!reach_.verify) SSL_set_verify(session->get(), SSL_VERIFY_NONE, nullptr);
  channel_.emplace(descriptor_.native_handle(), std::move(*session), buffer_);
  for (;;) {
    switch (channel_->handshake().status) {
      case ChannelStatus::ok: co_return std::nullopt;
      case ChannelStatus::want_read: co_await readable(limit); break;
      case ChannelStatus::want_write: co_await writable(limit); break;
      case ChannelStatus::closed:
      case ChannelStatus::failed: co_return handshake_failure();
    }
    if (closed_) co_return fail(Reason::closing, "closing");
    if (base::Clock::now() >= limit) co_return fail(Reason::timeout, "no TLS handshake in time");
  }
}

Failure Connection::handshake_failure() {
  reach_.tls->forget_sessions();  // if one of them was the reason, it must not be so again
  const long verified = SSL_get_verify_result(channel_->tls());
  if (verified == X509_V_OK) return fail(Reason::tls, "TLS handshake: " + channel_->failure_text());
  return fail(Reason::certificate,
              std::string("certificate: ") + X509_verify_cert_error_string(verified));
}

ChannelResult Connection::read(base::MutableBytes out) {
  return is_open() ? channel_->read(out) : ChannelResult{ChannelStatus::failed};
}

ChannelResult Connection::write(base::Bytes data) {
  return is_open() ? channel_->write(data) : ChannelResult{ChannelStatus::failed};
}

std::string Connection::failure_text() const {
  return channel_ ? channel_->failure_text() : "closed";
}

Awaitable<void> Connection::readable(base::TimePoint until) {
  boost::system::error_code error;  // who waits looks at the clock and at the socket itself
  co_await descriptor_.async_wait(
      descriptor_base::wait_read,
      boost::asio::cancel_at(read_timer_, until,
                             boost::asio::redirect_error(use_awaitable, error)));
}

Awaitable<void> Connection::writable(base::TimePoint until) {
  boost::system::error_code error;
  co_await descriptor_.async_wait(
      descriptor_base::wait_write,
      boost::asio::cancel_at(write_timer_, until,
                             boost::asio::redirect_error(use_awaitable, error)));
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  host_.give_up();
  if (is_open()) channel_->shutdown();
  ready_ = false;
  boost::system::error_code error;
  descriptor_.close(error);
}

bool Connection::unacknowledged(base::TimePoint since) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (!is_open() ||
      ::getsockopt(descriptor_.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
    return false;
  // The kernel counts in ticks, of which the coarsest are ten milliseconds.
  const auto heard = std::chrono::milliseconds{info.tcpi_last_ack_recv + 10};
  const bool nothing_came = heard >= base::Clock::now() - since;
  // What the peer sends again, as it does not hear us either, says nothing about ours.
  const bool sent_again_in_vain = info.tcpi_retransmits >= 2;
  return info.tcpi_unacked > 0 && (nothing_came || sent_again_in_vain);
}

}  // namespace transports
