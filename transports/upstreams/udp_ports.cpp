// UdpPorts: the system calls, and who gets what they bring.
#include "transports/upstreams/udp_ports.h"

#include <netinet/in.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

namespace transports {

namespace {
std::error_code last_error() { return {errno, std::system_category()}; }
}  // namespace

// The big arrays are left untouched: a page of theirs becomes resident when a datagram needs it.
UdpPorts::UdpPorts(const base::Endpoint& peer, Executor executor, Random& random)
    : executor_(executor),
      random_(random),
      peer_size_(peer.to_sockaddr(peer_)),
      ready_(executor),
      out_(new Outgoing),
      in_(new Incoming),
      turn_(Turn::of(executor.context())),
      home_(std::make_shared<UdpPorts*>(this)) {
  for (std::size_t i = 0; i < batch; ++i) {
    out_->headers[i] = {};
    out_->headers[i].msg_hdr.msg_iov = &out_->parts[i];
    out_->headers[i].msg_hdr.msg_iovlen = 1;
  }
  for (std::size_t i = 0; i < replies_at_once; ++i) {
    in_->parts[i] = {in_->replies[i].data(), reply_size_max};
    in_->headers[i] = {};
    in_->headers[i].msg_hdr.msg_iov = &in_->parts[i];
    in_->headers[i].msg_hdr.msg_iovlen = 1;
  }
}

UdpPorts::~UdpPorts() { *home_ = nullptr; }

std::expected<std::uint16_t, std::error_code> UdpPorts::enter(Expecting& who) {
  if (current_ == nullptr) {
    auto opened = open();
    if (!opened) return std::unexpected(opened.error());
    current_ = *opened;
  }
  Port& port = *current_;
  const auto used = std::span{port.ids}.first(port.used);
  std::uint16_t id = random_.u16();
  while (std::ranges::contains(used, id)) id = random_.u16();
  who.port_ = &port;
  who.slot_ = port.used;
  port.who[port.used] = &who;
  port.ids[port.used] = id;
  ++port.used;
  ++port.live;
  if (port.used == queries_most) current_ = nullptr;
  return id;
}

void UdpPorts::leave(Expecting& who) {
  Port* const port = std::exchange(who.port_, nullptr);
  if (port == nullptr) return;
  port->who[who.slot_] = nullptr;
  --port->live;
  release_if_done(*port);
}

void UdpPorts::queue(Expecting& who, std::size_t size) {
  out_->parts[queued_] = {out_->queries[queued_].data(), size};
  out_->ports[queued_] = who.port_;
  ++who.port_->busy;
  if (++queued_ == batch) return send_queued();
  turn_.at_end(sending_);
}

base::Bytes UdpPorts::local_address(const Expecting& who, std::array<std::uint8_t, 16>& into) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(who.port_->socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return {};
  const base::Address local =
      base::Endpoint::from_sockaddr(reinterpret_cast<const sockaddr&>(address)).address;
  into = local.octets();
  return base::Bytes{into}.first(local.is_v4() ? 4 : 16);
}

// ---- sockets

std::expected<UdpPorts::Port*, std::error_code> UdpPorts::open() {
  if (!idle_.empty()) {
    Port* const port = idle_.back();
    idle_.pop_back();
    port->idle = false;
    const std::error_code error = port->error = draw_port(*port);
    if (!error) return newest_ = port;
    release_if_done(*port);
    return std::unexpected(error);
  }
  if (const std::error_code error = watch()) return std::unexpected(error);
  auto port = std::make_unique<Port>();
  port->socket =
      Descriptor{::socket(peer_.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!port->socket.is_open()) return std::unexpected(last_error());
  // "Host unreachable" is told at once, and not only "port unreachable".
  const int on = 1;
  const bool v4 = peer_.ss_family == AF_INET;
  ::setsockopt(port->socket.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR,
               &on, sizeof on);
  if (const std::error_code error = draw_port(*port)) return std::unexpected(error);
  epoll_event interest{.events = EPOLLIN, .data = {.ptr = port.get()}};
  if (::epoll_ctl(ready_.native_handle(), EPOLL_CTL_ADD, port->socket.get(), &interest) != 0)
    return std::unexpected(last_error());
  ports_.push_back(std::move(port));
  return newest_ = ports_.back().get();
}

/// connect() binds to a port that the kernel draws at random from ip_local_port_range.
std::error_code UdpPorts::draw_port(const Port& port) const {
  if (::connect(port.socket.get(), reinterpret_cast<const sockaddr*>(&peer_), peer_size_) != 0)
    return last_error();
  return {};
}

/// Whoever waits for the reply has it before its port is given back.
void UdpPorts::release_if_done(Port& port) {
  if (port.live != 0 || port.busy != 0 || &port == current_) return;
  if (port.error) return close(port);
  if (port.idle) return;
  port.idle = true;
  left_.push_back(&port);
  turn_.afterwards(releasing_);
}

/// A socket that is connected to nobody has given its port back (the kernel's udp_disconnect), and
/// its next connect() draws another one.
void UdpPorts::release_left() {
  const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
  while (!left_.empty()) {
    Port& port = *left_.back();
    if (idle_.size() == idle_most || ::connect(port.socket.get(), &nobody, sizeof nobody) != 0) {
      close(port);
      continue;
    }
    left_.pop_back();
    port.used = 0;
    idle_.push_back(&port);
  }
}

void UdpPorts::close(Port& port) {
  if (port.idle && std::erase(idle_, &port) == 0) std::erase(left_, &port);
  if (newest_ == &port) newest_ = nullptr;
  const auto at = std::ranges::find(ports_, &port, &std::unique_ptr<Port>::get);
  std::swap(*at, ports_.back());
  ports_.pop_back();
}

// ---- out

void UdpPorts::send_queued() {
  current_ = nullptr;
  const std::size_t count = std::exchange(queued_, 0);
  const std::array<Port*, batch> from = out_->ports;
  for (std::size_t first = 0; first < count;) {
    std::size_t last = first + 1;
    while (last < count && from[last] == from[first]) ++last;
    send_from(*from[first], first, last - first);
    first = last;
  }
  // Who is told of an error may ask something else, so it comes last.
  for (Port* const port : std::span{from}.first(count)) {
    if (port->error) tell_error(*port);
    --port->busy;
    release_if_done(*port);
  }
}

void UdpPorts::send_from(Port& port, std::size_t first, std::size_t count) {
  while (count > 0 && !port.error) {
    const int sent = ::sendmmsg(port.socket.get(), &out_->headers[first],
                                static_cast<unsigned>(count), MSG_NOSIGNAL);
    if (sent > 0) {
      first += static_cast<std::size_t>(sent);
      count -= static_cast<std::size_t>(sent);
    } else if (errno == ENOBUFS || errno == EAGAIN) {  // a full queue of ours: lost on the way
      ++first;
      --count;
    } else if (errno != EINTR) {
      port.error = last_error();
    }
  }
}

/// To be called while the port is busy.
void UdpPorts::tell_error(Port& port) {
  if (current_ == &port) current_ = nullptr;
  for (Expecting* const who : port.who) {
    if (who == nullptr) continue;
    leave(*who);
    who->take_error(port.error);
  }
}

// ---- in

/// One wait for all sockets: they enter and leave the set, and the loop knows nothing of them.
std::error_code UdpPorts::watch() {
  if (ready_.is_open()) return {};
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) return last_error();
  boost::system::error_code error;
  ready_.assign(set, error);
  if (error) {
    ::close(set);
    return error;
  }
  wait();
  return {};
}

void UdpPorts::wait() {
  ready_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                    [this, home = home_](boost::system::error_code error) {
                      if (error || *home == nullptr) return;
                      {
                        const Turn::Scope turn(turn_);
                        read_ready();
                      }
                      if (*home != nullptr) wait();
                    });
}

void UdpPorts::read_ready() {
  if (read_the_only_one()) return;
  std::array<epoll_event, batch> ready;
  const int count =
      ::epoll_wait(ready_.native_handle(), ready.data(), static_cast<int>(ready.size()), 0);
  const auto some = std::span{ready}.first(static_cast<std::size_t>(std::max(count, 0)));
  const auto port_of = [](const epoll_event& event) -> Port& {
    return *static_cast<Port*>(event.data.ptr);
  };
  // All of them stay until they have been read, whatever those before them bring about.
  for (const epoll_event& event : some) ++port_of(event).busy;
  for (const epoll_event& event : some) {
    Port& port = port_of(event);
    read(port);
    --port.busy;
    release_if_done(port);
  }
}

/// Where only one burst is out, the news are most likely from its port. False when they are not.
bool UdpPorts::read_the_only_one() {
  if (newest_ == nullptr || newest_->idle || ports_.size() - idle_.size() - left_.size() != 1)
    return false;
  Port& port = *newest_;
  ++port.busy;
  const bool any = read(port);
  --port.busy;
  release_if_done(port);
  return any;
}

/// False when there was nothing.
bool UdpPorts::read(Port& port) {
  int count = 0;
  do {
    count =
        ::recvmmsg(port.socket.get(), in_->headers.data(), replies_at_once, MSG_DONTWAIT, nullptr);
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    if (errno == EAGAIN) return false;
    port.error = last_error();
    tell_error(port);
    return true;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
    take(port, base::Bytes{in_->replies[i]}.first(in_->headers[i].msg_len));
  return true;
}

void UdpPorts::take(Port& port, base::Bytes datagram) {
  if (datagram.size() >= 2) {
    const auto ids = std::span{port.ids}.first(port.used);
    const auto id = std::ranges::find(ids, base::load_u16(datagram.data()));
    if (id != ids.end()) {
      Expecting* const who = port.who[static_cast<std::size_t>(id - ids.begin())];
      // Without anybody: a second reply, to a query that was sent twice.
      if (who != nullptr) who->take_datagram(datagram);
      return;
    }
  }
  const std::array<Expecting*, queries_most> all = port.who;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] != nullptr && port.who[i] == all[i]) all[i]->take_stray();
  }
}

}  // namespace transports
