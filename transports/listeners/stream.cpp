// Accepting connections.
#include "transports/listeners/stream.h"

#include <sys/socket.h>
#include <unistd.h>
#include <boost/asio/redirect_error.hpp>

#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

#include "transports/listeners/sockets.h"

namespace transports {

namespace {

// Sessions have their turn after this many new ones.
constexpr int accepts_per_wake_up = 64;
// How long a listener rests when there are no descriptors left: a wait for readiness would spin.
constexpr std::chrono::milliseconds rest_without_descriptors{100};

bool out_of_resources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

StreamListener::StreamListener(const conf::ListenAddress& address, std::uint16_t listener_index,
                               ListenerContext& listener_context)
    : Host(listener_context, address.protocol, listener_index),
      accepted_(context.metrics.counter("sallyport_sessions_total",
                                        {{"transport", std::string(conf::row_of(protocol).name)}})),
      acceptor_(context.io.get_executor(),
                address.endpoint.address.is_v4() ? boost::asio::ip::tcp::v4()
                                                 : boost::asio::ip::tcp::v6(),
                open_tcp_socket(address).release()),
      local_endpoint_(local_endpoint_of(acceptor_.native_handle())),
      drained_(context.io.get_executor()) {}

StreamListener::~StreamListener() {
  sessions_.clear_and_dispose([](StreamSession* session) { delete session; });
}

void StreamListener::start() { wait(); }

void StreamListener::wait() {
  waiting_ = true;
  acceptor_.async_wait(Acceptor::wait_read, [this](boost::system::error_code) {
    waiting_ = false;
    if (stopping_) {
      if (drained()) drained_.cancel();
      return;
    }
    if (accept_some()) {
      wait();
    } else {
      context.timers.set(*this, base::Clock::now() + rest_without_descriptors);
    }
  });
}

void StreamListener::on_deadline(base::TimePoint) {
  if (!stopping_) wait();
}

/// False when there are no descriptors left.
bool StreamListener::accept_some() {
  const base::TimePoint now = base::Clock::now();
  for (int i = 0; i < accepts_per_wake_up; ++i) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    auto* any = reinterpret_cast<sockaddr*>(&storage);
    const int descriptor =
        ::accept4(acceptor_.native_handle(), any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      take(descriptor, base::Endpoint::from_sockaddr(*any), now);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return true;
    } else if (out_of_resources(errno)) {
      context.drops.no_descriptors.add();
      context.streams.evict_one();
      return false;
    }
    // Other errors are about the connection that was to be accepted (accept(2)).
  }
  return true;
}

void StreamListener::take(int descriptor, const base::Endpoint& client, base::TimePoint now) {
  using Refusal = SessionRegistry::Refusal;
  const conf::Limits& limits = context.limits;
  const auto admit = [&] {
    return context.sessions.admit(client.address, protocol, limits.sessions,
                                  limits.sessions_per_client);
  };
  auto place = admit();
  if (!place && place.error() == Refusal::all && context.streams.evict_one()) {
    context.drops.session_evicted.add();
    place = admit();
  }
  if (!place) {
    (place.error() == Refusal::client ? context.drops.client_limit : context.drops.session_limit)
        .add();
    ::close(descriptor);
    return;
  }
  accepted_.add();
  auto* session = new StreamSession(*this, descriptor, client, std::move(*place));
  sessions_.push_back(*session);
  session->start(now);
}

void StreamListener::on_end(StreamSession& session) {
  delete &session;
  if (stopping_ && drained()) drained_.cancel();
}

Awaitable<void> StreamListener::stop(base::TimePoint drain_until) {
  stopping_ = true;
  context.timers.clear(*this);
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  for (auto next = sessions_.begin(); next != sessions_.end();) (next++)->drain();
  drained_.expires_at(drain_until);
  while (!drained() && base::Clock::now() < drain_until) {
    co_await drained_.async_wait(boost::asio::redirect_error(use_awaitable, ignored));
  }
  for (auto next = sessions_.begin(); next != sessions_.end();) (next++)->end_politely();
  while (!drained())
    co_await drained_.async_wait(boost::asio::redirect_error(use_awaitable, ignored));
}

}  // namespace transports
