// The admin server's doors and thread. Owned by App.
#include "gateway/admin/http_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <exception>
#include <format>
#include <stdexcept>
#include <thread>

#include "gateway/admin/control_socket.h"
#include "gateway/admin/http_session.h"

namespace gateway::admin {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using Unix = asio::local::stream_protocol;
using transports::Awaitable;

template <class Protocol>
using Acceptor = asio::basic_socket_acceptor<Protocol, transports::Executor>;

/// When the door is full, whoever has been idle longest goes; when nobody is idle, the newcomer
/// must wait its turn outside.
bool make_room(DoorState& door) {
  if (door.open.size() < door.options.connections) return true;
  HttpSession* longest = nullptr;
  for (HttpSession* session : door.open) {
    const auto since = session->idle_since();
    if (since && (longest == nullptr || *since < *longest->idle_since())) longest = session;
  }
  if (longest == nullptr) return false;
  longest->close();
  return true;
}

Awaitable<void> serve(HttpSession::Socket socket, DoorState& door) {
  HttpSession session(std::move(socket), door);
  co_await session.run();
}

template <class Protocol>
Awaitable<void> accept_all(Acceptor<Protocol>& acceptor, DoorState& door) {
  asio::basic_waitable_timer<std::chrono::steady_clock,
                             asio::wait_traits<std::chrono::steady_clock>, transports::Executor>
      pause(acceptor.get_executor());
  while (acceptor.is_open()) {
    auto [error, socket] =
        co_await acceptor.async_accept(asio::as_tuple(transports::use_awaitable));
    if (!acceptor.is_open()) break;
    if (!error && make_room(door)) {
      asio::co_spawn(acceptor.get_executor(), serve(std::move(socket), door), asio::detached);
      continue;
    }
    if (!error) socket.close();
    // Out of descriptors, or full of clients that are being served: do not spin.
    pause.expires_after(std::chrono::milliseconds(50));
    co_await pause.async_wait(asio::as_tuple(transports::use_awaitable));
  }
}

int listening_tcp_socket(const base::Endpoint& endpoint) {
  sockaddr_storage address{};
  const unsigned length = endpoint.to_sockaddr(address);
  const int descriptor = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0)
    throw std::runtime_error(std::format("cannot open a socket: {}", std::strerror(errno)));
  const int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      listen(descriptor, 64) != 0) {
    const int error = errno;
    close(descriptor);
    throw std::runtime_error(std::format("the admin address {} cannot be listened on: {}",
                                         endpoint.to_text(), std::strerror(error)));
  }
  return descriptor;
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(Options options, std::unique_ptr<ControlSocket> control_socket, Control& control,
       base::Log& log)
      : options_(std::move(options)),
        control_(control),
        log_(log),
        control_socket_(std::move(control_socket)) {
    if (control_socket_) unix_.assign(Unix(), control_socket_->release());
    if (options_.listen) {
      const bool v4 = options_.listen->address.is_v4();
      tcp_.assign(v4 ? Tcp::v4() : Tcp::v6(), listening_tcp_socket(*options_.listen));
    }
  }

  ~Impl() { stop(); }

  void start() {
    if (tcp_.is_open()) asio::co_spawn(context_, accept_all<Tcp>(tcp_, tcp_door_), asio::detached);
    if (unix_.is_open())
      asio::co_spawn(context_, accept_all<Unix>(unix_, unix_door_), asio::detached);
    if (const auto endpoint = local_endpoint())
      log_.info("admin listener started", {{"address", endpoint->to_text()}});
    if (control_socket_) log_.info("control socket opened", {{"path", control_socket_->path()}});
    thread_ = std::thread([this] { run(); });
  }

  void stop() {
    if (thread_.joinable()) {
      asio::post(context_, [this] { close_everything(); });
      thread_.join();
    }
    waiting_room_.join();
    control_socket_.reset();
  }

  [[nodiscard]] std::optional<base::Endpoint> local_endpoint() const {
    if (!options_.listen) return std::nullopt;
    boost::system::error_code error;
    const auto endpoint = tcp_.local_endpoint(error);
    if (error) return options_.listen;  // stopped
    return base::Endpoint{.address = options_.listen->address, .port = endpoint.port()};
  }

 private:
  void run() {
    try {
      context_.run();
    } catch (const std::exception& error) {
      log_.error("the admin server has ended", {{"reason", error.what()}});
    }
  }

  void close_everything() {
    boost::system::error_code ignored;
    tcp_.close(ignored);
    unix_.close(ignored);
    for (DoorState* door : {&tcp_door_, &unix_door_}) {
      for (HttpSession* session : door->open) session->close();
    }
  }

  const Options options_;
  Control& control_;
  base::Log& log_;
  std::unique_ptr<ControlSocket> control_socket_;
  /// More who wait for upstreams at once wait for each other.
  static constexpr std::size_t waiting_most = 2;

  asio::thread_pool waiting_room_{waiting_most};
  DoorState tcp_door_{Door::tcp, options_, control_, waiting_room_, {}};
  DoorState unix_door_{Door::unix_socket, options_, control_, waiting_room_, {}};
  asio::io_context context_{1};
  Acceptor<Tcp> tcp_{context_};
  Acceptor<Unix> unix_{context_};
  std::thread thread_;
};

HttpServer::HttpServer(Options options, std::unique_ptr<ControlSocket> control_socket,
                       Control& control, base::Log& log)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(control_socket), control, log)) {}

HttpServer::~HttpServer() = default;

void HttpServer::start() { impl_->start(); }

void HttpServer::stop() { impl_->stop(); }

std::optional<base::Endpoint> HttpServer::local_endpoint() const { return impl_->local_endpoint(); }

}  // namespace gateway::admin
