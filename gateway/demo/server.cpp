// The demonstration's upstream from its certificate to its end.
#include "gateway/demo/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <format>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/counters.h"
#include "certs/store.h"
#include "conf/config.h"
#include "gateway/admin/metrics_table.h"
#include "gateway/demo/answerer.h"
#include "transports/doh_service.h"
#include "transports/listeners/listeners.h"
#include "transports/listeners/sockets.h"
#include "transports/listeners/udp_batch.h"
#include "transports/session_registry.h"
#include "transports/stream_session.h"
#include "transports/timer_wheel.h"

namespace gateway::demo {
namespace {

namespace asio = boost::asio;

constexpr int ports_tried = 20;

conf::ListenAddress loopback(conf::Protocol protocol, std::uint16_t port) {
  const base::Endpoint endpoint{.address = base::Address::v4({127, 0, 0, 1}), .port = port};
  return {.protocol = protocol,
          .endpoint = endpoint,
          .text = std::format("{}://{}", conf::row_of(protocol).scheme, endpoint.to_text())};
}

std::unique_ptr<certs::Store> make_certificate(const std::string& state_directory, base::Log& log) {
  conf::Config config;
  config.server.listen = {loopback(conf::Protocol::dot, 0)};
  config.server.state_directory = state_directory;
  auto store = certs::Store::open(config, log);
  if (!store) throw std::runtime_error(store.error().front());
  return *std::move(store);
}

}  // namespace

class Server::Impl {
 public:
  Impl(const std::string& state_directory, base::Log& log)
      : certificates_(make_certificate(state_directory, log)),
        context_{io_,      answerer_, limits_, proxy_,     doh_,      certificates_.get(),
                 waiting_, sessions_, timers_, udp_batch_, *streams_, metrics_.add_sheet(),
                 drops_,   log} {
    make_plain_listeners();
    listeners_.push_back(transports::make_listener(loopback(conf::Protocol::dot, 0), 2, context_));
    for (const auto& listener : listeners_) listener->start();
    thread_ = std::thread([this] { io_.run(); });
  }

  ~Impl() {
    asio::co_spawn(io_, stop(), asio::detached);
    thread_.join();
  }

  [[nodiscard]] base::Endpoint plain() const { return listeners_.front()->local_endpoint(); }
  [[nodiscard]] base::Endpoint dot() const { return listeners_.back()->local_endpoint(); }
  [[nodiscard]] std::string authority_file() const { return certificates_->authority_file(); }

 private:
  /// The port that the kernel chose for UDP must be free for TCP, too: a truncated answer is asked
  /// for again there.
  void make_plain_listeners() {
    for (int i = 1;; ++i) {
      auto udp = transports::make_listener(loopback(conf::Protocol::udp, 0), 0, context_);
      const conf::ListenAddress tcp_address =
          loopback(conf::Protocol::tcp, udp->local_endpoint().port);
      try {
        transports::require_free(tcp_address);
        listeners_.push_back(transports::make_listener(tcp_address, 1, context_));
        listeners_.insert(listeners_.begin(), std::move(udp));
        return;
      } catch (const std::runtime_error&) {
        if (i == ports_tried) throw;
      }
    }
  }

  transports::Awaitable<void> stop() {
    for (const auto& listener : listeners_) co_await listener->stop(base::Clock::now());
    io_.stop();
  }

  base::MetricRegistry metrics_{admin::metric_families};  // nobody scrapes it
  std::unique_ptr<certs::Store> certificates_;
  const conf::Limits limits_;
  const conf::Proxy proxy_;
  const transports::DohService doh_;
  transports::WaitingBudget waiting_{limits_.queries_waiting};
  transports::SessionRegistry sessions_;
  asio::io_context io_{1};
  transports::TimerWheel timers_{io_};
  transports::UdpBatch udp_batch_;
  std::unique_ptr<transports::StreamWorkspace> streams_ =
      std::make_unique<transports::StreamWorkspace>();
  transports::DropCounters drops_{metrics_.add_sheet()};
  DemoAnswerer answerer_{io_};
  transports::ListenerContext context_;
  std::vector<std::unique_ptr<transports::Listener>> listeners_;
  std::thread thread_;
};

Server::Server(const std::string& state_directory, base::Log& log)
    : impl_(std::make_unique<Impl>(state_directory, log)) {}

Server::~Server() = default;

base::Endpoint Server::plain() const { return impl_->plain(); }

base::Endpoint Server::dot() const { return impl_->dot(); }

std::string Server::authority_file() const { return impl_->authority_file(); }

}  // namespace gateway::demo
