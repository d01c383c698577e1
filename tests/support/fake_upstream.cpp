// FakeUpstream: one thread, poll(2), and a list of what is due.
#include "tests/support/fake_upstream.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "base/clock.h"

namespace test_support {

using base::Clock;
using transports::Channel;
using transports::ChannelStatus;

struct FakeUpstream::Connection {
  int descriptor = -1;
  std::size_t number = 0;
  base::Endpoint peer;
  std::unique_ptr<Channel> channel;
  bool shaken = false;
  bool closed = false;
  bool tls = false;
  std::size_t reads = 0;
  Octets in;
  Octets out;
};

struct FakeUpstream::Due {
  base::TimePoint when;
  Step step;
  bool stream = false;
  std::size_t connection = 0;
  base::Endpoint peer;
};

namespace {

int bind_to(int type, std::uint16_t& port) {
  const int descriptor = ::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(descriptor);
    return -1;
  }
  socklen_t size = sizeof address;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  if (type == SOCK_STREAM) ::listen(descriptor, 128);
  return descriptor;
}

base::Endpoint loopback(std::uint16_t port) { return {base::Address::v4({127, 0, 0, 1}), port}; }

certs::SslContextPtr make_context(const FakeUpstream::Options& options) {
  certs::SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (options.old_tls) {
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), TLS1_1_VERSION);
  }
  SSL_CTX_use_certificate(context.get(), options.identity->certificate.get());
  SSL_CTX_use_PrivateKey(context.get(), options.identity->key.get());
  if (options.issuer != nullptr)
    SSL_CTX_add1_chain_cert(context.get(), options.issuer->certificate.get());
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

}  // namespace

FakeUpstream::FakeUpstream(Script script, const Options& options)
    : script_(std::move(script)),
      options_(options),
      receive_buffer_(std::make_unique<transports::ChannelBuffers>()) {
  // Another program may have the UDP port's number for TCP: then another one is drawn.
  for (int attempt = 0; attempt < 50 && (tcp_ < 0 || udp_ < 0); ++attempt) {
    if (udp_ >= 0) ::close(udp_);
    std::uint16_t port = 0;
    udp_ = bind_to(SOCK_DGRAM, port);
    tcp_ = bind_to(SOCK_STREAM, port);
    plain_ = loopback(port);
  }
  if (udp_ < 0 || tcp_ < 0) throw std::runtime_error("no port for the fake upstream");
  if (!options_.listen_tcp) {
    ::close(tcp_);
    tcp_ = -1;
  }
  if (options_.identity != nullptr) {
    std::uint16_t port = 0;
    dot_ = bind_to(SOCK_STREAM, port);
    encrypted_ = loopback(port);
    context_ = make_context(options_);
  }
  if (::pipe2(wake_, O_NONBLOCK | O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  thread_ = std::thread(&FakeUpstream::serve, this);
}

FakeUpstream::~FakeUpstream() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  [[maybe_unused]] const ssize_t woken = ::write(wake_[1], "", 1);
  thread_.join();
  for (const int descriptor : {udp_, tcp_, dot_, wake_[0], wake_[1]}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

base::Endpoint FakeUpstream::endpoint(conf::Protocol protocol) const {
  return protocol == conf::Protocol::dot ? encrypted_ : plain_;
}

std::vector<Received> FakeUpstream::received() const {
  const std::scoped_lock lock(mutex_);
  return received_;
}

std::size_t FakeUpstream::count(conf::Protocol protocol) const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count(received_, protocol, &Received::protocol));
}

std::size_t FakeUpstream::connections() const {
  const std::scoped_lock lock(mutex_);
  return connections_seen_;
}

std::size_t FakeUpstream::connections_open() const {
  const std::scoped_lock lock(mutex_);
  return connections_open_;
}

std::size_t FakeUpstream::resumptions() const {
  const std::scoped_lock lock(mutex_);
  return resumptions_;
}

void FakeUpstream::close_connections() {
  {
    const std::scoped_lock lock(mutex_);
    close_all_ = true;
  }
  [[maybe_unused]] const ssize_t woken = ::write(wake_[1], "", 1);
  for (int patience = 0; patience < 5000 && connections_open() > 0; ++patience) ::usleep(1000);
}

void FakeUpstream::serve() {
  for (;;) {
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_) break;
      if (std::exchange(close_all_, false)) {
        for (const auto& connection : connections_) connection->closed = true;
      }
    }
    for (const auto& connection : connections_) {
      if (!connection->closed) continue;
      connection->channel->shutdown();
      ::close(connection->descriptor);
    }
    std::erase_if(connections_, [](const auto& connection) { return connection->closed; });
    {
      const std::scoped_lock lock(mutex_);
      connections_open_ = connections_.size();
    }
    std::vector<pollfd> ready{
        {wake_[0], POLLIN, 0}, {udp_, POLLIN, 0}, {tcp_, POLLIN, 0}, {dot_, POLLIN, 0}};
    for (const auto& connection : connections_) {
      const bool writes = !connection->out.empty();
      ready.push_back(
          {connection->descriptor, static_cast<short>(POLLIN | (writes ? POLLOUT : 0)), 0});
    }
    ::poll(ready.data(), ready.size(), next_timeout());
    std::array<char, 16> woken;
    while (::read(wake_[0], woken.data(), woken.size()) > 0) {
    }
    const std::size_t known = connections_.size();
    if (ready[1].revents != 0) take_datagrams();
    for (std::size_t i = 0; i < known; ++i) {
      if (ready[i + 4].revents != 0) serve_connection(*connections_[i]);
    }
    if (ready[2].revents != 0) accept(tcp_, false);
    if (ready[3].revents != 0) accept(dot_, true);
    const base::TimePoint now = Clock::now();
    for (std::size_t i = 0; i < due_.size();) {
      if (due_[i].when > now) {
        ++i;
        continue;
      }
      const Due due = std::move(due_[i]);
      due_.erase(due_.begin() + static_cast<std::ptrdiff_t>(i));
      perform(due);
    }
  }
  for (const auto& connection : connections_) ::close(connection->descriptor);
}

int FakeUpstream::next_timeout() const {
  if (due_.empty()) return 1000;
  const auto earliest = std::ranges::min_element(due_, {}, &Due::when)->when - Clock::now();
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(earliest).count();
  return static_cast<int>(std::clamp<long>(left, 0, 1000));
}

void FakeUpstream::accept(int listener, bool tls) {
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  const int descriptor =
      ::accept4(listener, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return;
  auto connection = std::make_unique<Connection>();
  connection->descriptor = descriptor;
  connection->number = accepted_++;
  connection->tls = tls;
  connection->peer = base::Endpoint::from_sockaddr(reinterpret_cast<const sockaddr&>(from));
  if (tls) {
    certs::SslPtr session(SSL_new(context_.get()));
    SSL_set_accept_state(session.get());
    connection->channel =
        std::make_unique<Channel>(descriptor, std::move(session), *receive_buffer_);
  } else {
    connection->channel = std::make_unique<Channel>(descriptor);
  }
  connections_.push_back(std::move(connection));
  const std::scoped_lock lock(mutex_);
  ++connections_seen_;
  connections_open_ = connections_.size();
}

void FakeUpstream::take_datagrams() {
  for (;;) {
    std::array<std::uint8_t, 4096> octets;
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const ssize_t count = ::recvfrom(udp_, octets.data(), octets.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &size);
    if (count < 0) return;
    take_query(nullptr, {octets.begin(), octets.begin() + count},
               base::Endpoint::from_sockaddr(reinterpret_cast<const sockaddr&>(from)));
  }
}

void FakeUpstream::serve_connection(Connection& connection) {
  if (connection.tls && options_.tls_hangs) return;
  if (!connection.shaken) {
    const ChannelStatus status = connection.channel->handshake().status;
    if (status == ChannelStatus::failed || status == ChannelStatus::closed)
      connection.closed = true;
    if (status != ChannelStatus::ok) return;
    connection.shaken = true;
    if (connection.tls && connection.channel->facts().resumed) {
      const std::scoped_lock lock(mutex_);
      ++resumptions_;
    }
  }
  flush(connection);
  for (;;) {
    std::array<std::uint8_t, 16384> octets;
    const transports::ChannelResult read = connection.channel->read(octets);
    connection.in.insert(connection.in.end(), octets.begin(),
                         octets.begin() + static_cast<std::ptrdiff_t>(read.octets));
    if (read.status == ChannelStatus::closed || read.status == ChannelStatus::failed)
      connection.closed = true;
    if (read.status != ChannelStatus::ok) break;
  }
  while (connection.in.size() >= 2) {
    const std::size_t size = base::load_u16(connection.in.data());
    if (connection.in.size() < size + 2) break;
    const auto begin = connection.in.begin() + 2;
    Octets wire(begin, begin + static_cast<std::ptrdiff_t>(size));
    connection.in.erase(connection.in.begin(), begin + static_cast<std::ptrdiff_t>(size));
    take_query(&connection, std::move(wire), connection.peer);
  }
  ++connection.reads;
}

void FakeUpstream::take_query(Connection* connection, Octets wire, const base::Endpoint& peer) {
  Received query;
  query.wire = std::move(wire);
  query.sound = dns::parse_request(query.wire, query.request) == dns::Verdict::accept;
  query.port = peer.port;
  if (connection != nullptr) {
    query.protocol = connection->tls ? conf::Protocol::dot : conf::Protocol::tcp;
    query.connection = connection->number;
    query.write = connection->reads;
  }
  {
    const std::scoped_lock lock(mutex_);
    query.number = received_.size();
    received_.push_back(query);
  }
  base::TimePoint when = Clock::now();
  for (Step& step : script_(query)) {
    when += step.after;
    due_.push_back({when, std::move(step), connection != nullptr, query.connection, peer});
  }
}

void FakeUpstream::perform(const Due& due) {
  if (!due.stream) {
    sockaddr_storage to{};
    const unsigned size = due.peer.to_sockaddr(to);
    ::sendto(udp_, due.step.octets.data(), due.step.octets.size(), 0,
             reinterpret_cast<const sockaddr*>(&to), size);
    return;
  }
  const auto found = std::ranges::find_if(connections_, [&due](const auto& connection) {
    return connection->number == due.connection;
  });
  if (found == connections_.end() || (*found)->closed) return;
  Connection& connection = **found;
  switch (due.step.kind) {
    case Step::Kind::send:
      connection.out.push_back(static_cast<std::uint8_t>(due.step.octets.size() >> 8));
      connection.out.push_back(static_cast<std::uint8_t>(due.step.octets.size()));
      [[fallthrough]];
    case Step::Kind::raw:
      connection.out.insert(connection.out.end(), due.step.octets.begin(), due.step.octets.end());
      flush(connection);
      break;
    case Step::Kind::close: connection.closed = true; break;
    case Step::Kind::deaf: {
      sock_filter drop{BPF_RET | BPF_K, 0, 0, 0};
      const sock_fprog program{1, &drop};
      ::setsockopt(connection.descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
      break;
    }
    case Step::Kind::reset: {
      const linger at_once{1, 0};
      ::setsockopt(connection.descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      connection.closed = true;
      break;
    }
  }
}

void FakeUpstream::flush(Connection& connection) {
  if (connection.out.empty()) return;
  const transports::ChannelResult written = connection.channel->write(connection.out);
  connection.out.erase(connection.out.begin(),
                       connection.out.begin() + static_cast<std::ptrdiff_t>(written.octets));
  if (written.status == ChannelStatus::failed) connection.closed = true;
}

}  // namespace test_support
