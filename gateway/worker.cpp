// A worker from its listeners' binding to its drained end.
#include "gateway/worker.h"

#include <algorithm>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace gateway {
namespace {

/// Old sets end by themselves: exchanges under way finish, links close, the memory goes.
transports::Awaitable<void> close(std::shared_ptr<upstreams::Sets> old,
                                  base::TimePoint drain_until) {
  co_await old->close(drain_until);
}

/// Kept by everyone who drains; the last to let go tells it.
struct Drained {
  explicit Drained(std::promise<void> to_tell) : told(std::move(to_tell)) {}
  ~Drained() { told.set_value(); }
  Drained(const Drained&) = delete;
  Drained& operator=(const Drained&) = delete;
  std::promise<void> told;
};

transports::Awaitable<void> stop(transports::Listener& listener, base::TimePoint drain_until,
                                 std::shared_ptr<const Drained> drained) {
  co_await listener.stop(drain_until);
  drained.reset();
}

bool speaks_quic(const conf::Config& config) {
  return std::ranges::any_of(config.server.listen, [](const conf::ListenAddress& address) {
    const conf::ProtocolRow& row = conf::row_of(address.protocol);
    return row.encrypted && row.socket == conf::Socket::udp;
  });
}

}  // namespace

Worker::Worker(const SharedParts& shared, const conf::Config& config, std::uint8_t number)
    : shared_(shared),
      sheet_(shared.metrics.add_sheet()),
      epoch_(shared.epochs),
      home_({context_, shared.flights, shared.cache, shared.snapshots, epoch_, shared.log}),
      counters_(sheet_, config.server.listen),
      pipeline_({shared.snapshots, shared.cache, shared.flights, epoch_, shared.cookies,
                 shared.homes, port(), shared.observer},
                counters_),
      limits_(config.limits),
      proxy_(config.proxy),
      doh_(config),
      drops_(sheet_),
      quic_(speaks_quic(config) ? std::make_unique<transports::quic::Workspace>(shared.quic, number,
                                                                                config.quic, sheet_)
                                : nullptr),
      listener_context_{context_, pipeline_,           limits_,        proxy_,
                        doh_,     shared.certificates, shared.waiting, shared.sessions,
                        timers_,  udp_batch_,          streams_,       sheet_,
                        drops_,   shared.log,          quic_.get()},
      qlogs_(shared.quic.qlogs, sheet_),
      upstream_context_{context_.get_executor(), random_,       receive_buffer_,
                        shared.authorities,      sheet_,        shared.log,
                        home_.timers(),          &shared.hosts, &qlogs_},
      network_changes_(sheet_.counter("sallyport_network_changes_total", {})) {
  if (config.server.watch_network)
    network_ = std::make_unique<NetworkWatch>(context_, shared.log, [this] { network_changed(); });
  for (const conf::ListenAddress& address : config.server.listen) {
    const auto place = static_cast<std::uint16_t>(listeners_.size());
    listeners_.push_back(transports::make_listener(address, place, listener_context_));
  }
}

Worker::~Worker() {
  context_.stop();
  join();
}

void Worker::start() {
  thread_ = std::jthread{[this] { context_.run(); }};
}

void Worker::open() {
  mailbox_.push([this] {
    if (network_ && home_.upstreams()) network_->start();
    for (const auto& listener : listeners_) listener->start();
  });
}

std::future<void> Worker::drain(base::TimePoint drain_until) {
  std::promise<void> promise;
  auto done = promise.get_future();
  mailbox_.push([this, drain_until, promise = std::move(promise)]() mutable {
    stop_listeners(drain_until, std::move(promise));
  });
  return done;
}

void Worker::finish(base::TimePoint drain_until) {
  mailbox_.push([this, drain_until] {
    boost::asio::co_spawn(context_, end(drain_until), boost::asio::detached);
  });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

/// All at once: while one drains, the others must take nothing new either.
void Worker::stop_listeners(base::TimePoint drain_until, std::promise<void> done) {
  const auto drained = std::make_shared<const Drained>(std::move(done));
  for (const auto& listener : listeners_) {
    boost::asio::co_spawn(context_, gateway::stop(*listener, drain_until, drained),
                          boost::asio::detached);
  }
}

transports::Awaitable<void> Worker::end(base::TimePoint drain_until) {
  if (auto sets = home_.replace(nullptr)) co_await sets->close(drain_until);
  context_.stop();
}

std::future<Worker::Prepared> Worker::prepare(std::shared_ptr<const Snapshot> snapshot) {
  std::promise<Prepared> promise;
  auto done = promise.get_future();
  mailbox_.push([this, snapshot = std::move(snapshot), promise = std::move(promise)]() mutable {
    // On workers that are no home too: around a reload that changes how many are, both are asked.
    auto sets = make_upstreams(*snapshot);
    if (!sets) return promise.set_value(std::unexpected{std::move(sets.error())});
    next_ = std::move(snapshot);
    next_upstreams_ = std::move(*sets);
    promise.set_value({});
  });
  return done;
}

std::future<void> Worker::take_prepared() {
  std::promise<void> promise;
  auto done = promise.get_future();
  mailbox_.push([this, promise = std::move(promise)]() mutable {
    take(*next_, std::move(next_upstreams_));
    next_ = nullptr;
    promise.set_value();
  });
  return done;
}

void Worker::drop_prepared() {
  mailbox_.push([this] {
    next_ = nullptr;
    if (next_upstreams_) retire(std::move(next_upstreams_), base::Clock::now());
  });
}

void Worker::take(const Snapshot& snapshot, std::shared_ptr<upstreams::Sets> sets) {
  limits_ = snapshot.config.limits;
  if (quic_) quic_->configure(snapshot.config.quic);
  qlogs_.directory = snapshot.config.quic.qlog_directory;
  proxy_ = snapshot.config.proxy;
  doh_.renew(snapshot.config);
  if (auto old = home_.replace(std::move(sets))) {
    home_.upstreams()->inherit(*old);
    retire(std::move(old), base::Clock::now() + snapshot.config.limits.query_timeout);
  }
}

void Worker::retire(std::shared_ptr<upstreams::Sets> sets, base::TimePoint drain_until) {
  boost::asio::co_spawn(context_, close(std::move(sets), drain_until), boost::asio::detached);
}

/// Upstreams that other ways lead to are dialled again; who waits for their answers gets them.
void Worker::network_changed() {
  const std::shared_ptr<upstreams::Sets> sets = home_.upstreams();
  const std::size_t moved = sets ? sets->network_changed() : 0;
  if (moved == 0) return;
  network_changes_.add();
  shared_.log.info("the network has changed, upstreams are connected to afresh",
                   {{"upstreams", moved}});
}

std::expected<std::shared_ptr<upstreams::Sets>, std::string> Worker::make_upstreams(
    const Snapshot& snapshot) {
  const upstreams::SetContext context{context_.get_executor(), home_.timers(), random_, sheet_,
                                      shared_.log};
  auto sets = std::make_shared<upstreams::Sets>(snapshot.routes);
  for (const conf::Set& terms : snapshot.sets) {
    std::vector<upstreams::Entrant> entrants;
    for (const conf::Upstream& upstream : snapshot.config.upstreams) {
      if (upstream.set != terms.name) continue;
      auto made = transports::make_upstream(upstream, upstream_context_);
      if (!made) return std::unexpected{std::move(made.error())};
      entrants.push_back({std::move(*made), upstream.timeout, upstream.weight, upstream.line.number,
                          transports::host_of(upstream, upstream_context_.hosts)});
    }
    sets->add(std::make_shared<upstreams::UpstreamSet>(terms, std::move(entrants), context));
  }
  return sets;
}

std::vector<base::Endpoint> Worker::local_endpoints() const {
  std::vector<base::Endpoint> endpoints;
  for (const auto& listener : listeners_) endpoints.push_back(listener->local_endpoint());
  return endpoints;
}

}  // namespace gateway
