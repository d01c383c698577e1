// Accepting connections.
#include "transports/listeners/stream.h"

#include <sys/socket.h>
#include <unistd.h>
#include <boost/asio/redirect_error.hpp>

#include <cerrno>
#include <chrono>
#include <limits>
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
    : StreamSession::Host(listener_context, address.protocol, listener_index),
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
  introductions_.clear_and_dispose([](Introduction* introduction) { delete introduction; });
}

void StreamListener::start() { wait(); }

void StreamListener::wait() {
  waiting_ = true;
  acceptor_.async_wait(Acceptor::wait_read, [this](boost::system::error_code) {
    waiting_ = false;
    if (stopping_) return tell_if_drained();
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
  const bool balanced = context.proxy.is_balanced(protocol, client.address);
  // A balancer's connections are many clients'.
  auto place = admit(client.address, balanced ? std::numeric_limits<std::uint32_t>::max()
                                              : most_of(client.address));
  if (!admitted(place)) {
    ::close(descriptor);
  } else if (balanced) {
    auto* introduction = new Introduction(*this, context, descriptor, client, std::move(*place));
    introductions_.push_back(*introduction);
    introduction->start(now);
  } else {
    begin(descriptor, client, std::move(*place), now);
  }
}

void StreamListener::on_introduced(Introduction& introduction, base::TimePoint now) {
  const std::optional<base::Endpoint> client = introduction.client();
  const int descriptor = client ? introduction.release() : -1;
  delete &introduction;  // its place is free for the client now
  if (client) {
    auto place = admit(client->address, most_of(client->address));
    if (admitted(place)) {
      begin(descriptor, *client, std::move(*place), now);
    } else {
      ::close(descriptor);
    }
  }
  if (stopping_) tell_if_drained();
}

/// So are a reverse proxy's.
std::uint32_t StreamListener::most_of(const base::Address& client) const {
  const bool http = protocol == conf::Protocol::doh || protocol == conf::Protocol::http;
  return http && context.proxy.is_reverse_proxy(client) ? std::numeric_limits<std::uint32_t>::max()
                                                        : context.limits.sessions_per_client;
}

StreamListener::Admitted StreamListener::admit(const base::Address& client,
                                               std::uint32_t most_of_client) {
  const std::uint32_t most = context.limits.sessions;
  auto place = context.sessions.admit(client, protocol, most, most_of_client);
  if (!place && place.error() == SessionRegistry::Refusal::all && context.streams.evict_one()) {
    context.drops.session_evicted.add();
    place = context.sessions.admit(client, protocol, most, most_of_client);
  }
  return place;
}

/// Counts it when not.
bool StreamListener::admitted(const Admitted& place) {
  if (place) return true;
  const bool of_client = place.error() == SessionRegistry::Refusal::client;
  (of_client ? context.drops.client_limit : context.drops.session_limit).add();
  return false;
}

void StreamListener::begin(int descriptor, const base::Endpoint& client, SessionPlace place,
                           base::TimePoint now) {
  accepted_.add();
  auto* session = new StreamSession(*this, descriptor, client, std::move(place));
  sessions_.push_back(*session);
  session->start(now);
}

void StreamListener::on_end(StreamSession& session) {
  delete &session;
  if (stopping_) tell_if_drained();
}

void StreamListener::tell_if_drained() {
  if (drained()) drained_.cancel();
}

Awaitable<void> StreamListener::stop(base::TimePoint drain_until) {
  stopping_ = true;
  context.timers.clear(*this);
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  for (auto next = introductions_.begin(); next != introductions_.end();) (next++)->end();
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
