// Starting, stopping and reloading the gateway.
#include "gateway/app.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <future>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>

#include <openssl/rand.h>

#include "conf/changes.h"
#include "gateway/admin/control_socket.h"
#include "gateway/admin/metrics_table.h"
#include "gateway/admin/process_metrics.h"
#include "transports/listeners/sockets.h"

namespace gateway {
namespace {

constexpr std::chrono::milliseconds save_most{
    10'000};  // for the cache at the end; what was saved before stays when it takes longer
constexpr std::chrono::milliseconds drain_grace{
    500};  // for a listener that is at its drain's very end

std::size_t workers_of(const conf::Config& config) {
  return config.server.workers != 0 ? config.server.workers
                                    : std::max(1U, std::thread::hardware_concurrency());
}

dns::CookieSecret random_secret() {
  dns::CookieSecret secret;
  if (RAND_bytes(secret.data(), secret.size()) != 1)
    throw std::runtime_error("no randomness from the system");
  return secret;
}

/// Whether a socket can be bound to it: a machine without IPv6 has no [::1].
bool is_here(const base::Address& address) {
  sockaddr_storage storage;
  const unsigned size = base::Endpoint{address, 0}.to_sockaddr(storage);
  const int probe = ::socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const bool bound = ::bind(probe, reinterpret_cast<const sockaddr*>(&storage), size) == 0;
  ::close(probe);
  return bound;
}

/// Listeners that nobody asked for by name are left out where the machine has not their address.
conf::Config without_absent_defaults(conf::Config config) {
  std::erase_if(config.server.listen, [](const conf::ListenAddress& listener) {
    return listener.by_default && !is_here(listener.endpoint.address);
  });
  return config;
}

std::string join(const std::vector<std::string>& sentences) {
  std::string all;
  for (const std::string& sentence : sentences) all += (all.empty() ? "" : "\n") + sentence;
  return all;
}

std::unique_ptr<certs::Store> open_certificates(const conf::Config& config, base::Log& log) {
  const auto encrypted = [](const conf::ListenAddress& address) {
    return conf::row_of(address.protocol).encrypted;
  };
  if (std::ranges::none_of(config.server.listen, encrypted)) return nullptr;
  auto store = certs::Store::open(config, log);
  if (!store) throw std::runtime_error(join(store.error()));
  return std::move(*store);
}

admin::HttpServer::Options admin_options(const conf::Config& config) {
  admin::HttpServer::Options options;
  options.listen = config.admin.listen;
  options.server_name = config.server.name;
  return options;
}

}  // namespace

App::App(const conf::Config& config, base::Log& log, Options options)
    : log_(log),
      options_(std::move(options)),
      control_socket_(std::make_unique<admin::ControlSocket>(config.server.state_directory)),
      metrics_(admin::metric_families),
      sheet_(metrics_.add_sheet()),
      snapshots_(epochs_, std::make_shared<const Snapshot>(without_absent_defaults(config),
                                                           workers_of(config))),
      cookies_(random_secret()),
      certificates_(open_certificates(snapshots_.share()->config, log)),
      cache_({.budget = snapshots_.share()->config.cache.size,
              .threads = snapshots_.share()->workers,
              .negative_percent = snapshots_.share()->config.cache.negative_share,
              .seed = cache::HashSeed::random()},
             epochs_),
      keeper_(cache_, snapshots_, log, config.server.state_directory),
      book_(config.server, metrics_, log),
      waiting_(snapshots_.share()->config.limits.queries_waiting),
      homes_(snapshots_.share()->workers),
      shared_{log,          metrics_,  epochs_,          cache_,
              snapshots_,   flights_,  cookies_,         certificates_.get(),
              authorities_, sessions_, waiting_,         quic_,
              homes_,       book_,     options_.observer},
      admin_(admin_options(snapshots_.share()->config), std::move(control_socket_), *this, log) {
  register_metrics();
  start_workers();
  if (certificates_) certificates_->watch();
  keeper_.start();
  admin_.start();
}

App::~App() { stop(); }

void App::start_workers() {
  const std::shared_ptr<const Snapshot> snapshot = snapshots_.share();
  conf::Config config = snapshot->config;
  // SO_REUSEPORT would let another gateway of this user share our ports without a word.
  for (const conf::ListenAddress& address : config.server.listen) transports::require_free(address);
  for (std::size_t i = 0; i < homes_.size(); ++i) {
    workers_.push_back(std::make_unique<Worker>(shared_, config, static_cast<std::uint8_t>(i)));
    homes_[i] = workers_.back()->port();
    if (i != 0) continue;
    // Port 0: the kernel chooses for the first worker, and the others share it.
    const std::vector<base::Endpoint> bound = workers_.front()->local_endpoints();
    for (std::size_t at = 0; at < bound.size(); ++at) config.server.listen[at].endpoint = bound[at];
  }
  listening_ = config.server.listen;
  for (const auto& worker : workers_) worker->start();
  if (auto done = configure_workers(snapshot); !done) throw std::runtime_error(done.error());
  for (const auto& worker : workers_)
    worker->open();  // nothing is forwarded before everything is in place
}

void App::stop() {
  if (stopping_.exchange(true)) return;
  const std::scoped_lock no_reload{reload_mutex_};
  const base::TimePoint drain_until = base::Clock::now() + options_.drain_most;
  std::vector<std::future<void>> drained;
  for (const auto& worker : workers_) drained.push_back(worker->drain(drain_until));
  for (std::future<void>& worker : drained) worker.wait_until(drain_until + drain_grace);
  admin_.stop();  // it asks the workers, so it ends while they still answer
  for (const auto& worker : workers_) worker->finish(drain_until);
  for (const auto& worker : workers_) worker->join();
  book_.stop();
  keeper_.stop(save_most);
}

std::expected<void, std::string> App::configure_workers(
    const std::shared_ptr<const Snapshot>& snapshot) {
  for (const auto& worker : workers_) {
    if (auto done = worker->prepare(snapshot).get(); !done) {
      for (const auto& prepared : workers_) prepared->drop_prepared();
      return done;
    }
  }
  for (const auto& worker : workers_) worker->take_prepared().get();
  waiting_.set_most(snapshot->config.limits.queries_waiting);
  return {};
}

std::optional<base::Endpoint> App::admin_endpoint() const { return admin_.local_endpoint(); }

std::string App::authority_file() const {
  return certificates_ ? certificates_->authority_file() : std::string{};
}

// ---- what the admin server asks

std::string App::scrape() { return metrics_.scrape(); }

admin::Health App::healthy() {
  if (stopping_) return {false, {"draining"}};
  admin::Health health;
  std::vector<upstreams::UpstreamSet::State> states;
  for (auto& of_worker : upstream_states())
    std::ranges::move(of_worker, std::back_inserter(states));
  const auto rests = [](const upstreams::UpstreamSet::State& state) {
    return state.standing == upstreams::Standing::resting;
  };
  if (!states.empty() && std::ranges::all_of(states, rests)) {
    health = {false, {"no upstream answers: " + states.front().last_error}};
  }
  return health;
}

admin::ReloadOutcome App::refuse_reload(std::vector<std::string> complaints) {
  sheet_.counter("sallyport_config_reloads_total", {{"result", "refused"}}).add();
  log_.error("reload refused, the running configuration stays", {{"reason", join(complaints)}});
  return {false, std::move(complaints), {}};
}

admin::ReloadOutcome App::reload() {
  const std::scoped_lock lock{reload_mutex_};
  if (stopping_) return refuse_reload({"the gateway is stopping"});
  if (!options_.read_again)
    return refuse_reload({"this gateway runs without a configuration file"});
  auto config = options_.read_again();
  if (!config) {
    std::vector<std::string> complaints;
    for (const conf::Complaint& complaint : config.error())
      complaints.push_back(complaint.to_text());
    return refuse_reload(std::move(complaints));
  }
  const std::shared_ptr<const Snapshot> running = snapshots_.share();
  const conf::Changes changes = conf::changes(running->config, *config);
  if (certificates_) {
    if (auto replaced = certificates_->replace(*config); !replaced)
      return refuse_reload(replaced.error());
  }
  const auto next = std::make_shared<const Snapshot>(std::move(*config), running->workers);
  if (auto done = configure_workers(next); !done) {
    // The certificates are the only thing that may have changed: put them back.
    if (certificates_) static_cast<void>(certificates_->replace(running->config));
    return refuse_reload({done.error()});
  }
  snapshots_.publish(next);
  if (const auto led = policy::led_elsewhere(running->config, next->config); !led.empty()) {
    std::vector<CacheKeeper::Part> parts;
    for (const dns::Name& name : led) parts.push_back({name, true});
    keeper_.forget(parts);
  }
  keeper_.reconsider();
  log_.set_level(next->config.log.level);
  sheet_.counter("sallyport_config_reloads_total", {{"result", "ok"}}).add();
  log_.info("configuration reloaded",
            {{"changes", changes.at_once.size()}, {"after_restart", changes.after_restart.size()}});
  admin::ReloadOutcome outcome{true, {}, changes.at_once};
  for (const std::string& change : changes.after_restart)
    outcome.changes.push_back("after a restart: " + change);
  return outcome;
}

std::uint64_t App::flush(const std::optional<dns::Name>& name, bool below) {
  const std::uint64_t count = name ? keeper_.forget({{*name, below}}) : keeper_.forget_all();
  log_.info("cache flushed", {{"entries", count}});
  return count;
}

admin::CacheStatus App::cache_stats() {
  const auto total = [this](std::string_view family, const base::Labels& labels) {
    return static_cast<std::uint64_t>(metrics_.total(family, labels));
  };
  return {cache_.stats(),
          total("sallyport_cache_hits_total", {{"state", "fresh"}}),
          total("sallyport_cache_hits_total", {{"state", "stale"}}),
          total("sallyport_cache_misses_total", {}),
          total("sallyport_cache_stale_answers_total", {{"reason", "slow"}}),
          total("sallyport_cache_prefetches_total", {{"result", "renewed"}}),
          keeper_.facts().loaded,
          keeper_.facts().saved_entries,
          keeper_.facts().saved_at};
}

admin::Status App::status() {
  const std::shared_ptr<const Snapshot> snapshot = snapshots_.share();
  admin::Status status;
  status.version = options_.version;
  status.process_id = ::getpid();
  status.started = started_;
  status.configuration = snapshot->config.source;
  status.state_directory = snapshot->config.server.state_directory;
  status.workers = static_cast<std::uint32_t>(workers_.size());
  const auto total = [this](std::string_view family, const base::Labels& labels) {
    return static_cast<std::uint64_t>(metrics_.total(family, labels));
  };
  for (const conf::ListenAddress& listener : listening_) {
    const std::string url =
        std::string{conf::row_of(listener.protocol).scheme} + "://" + listener.endpoint.to_text();
    status.listeners.push_back(
        {url, total("sallyport_queries_total", {{"listener", listener.text}})});
    status.queries += status.listeners.back().queries;
  }
  for (const conf::ProtocolRow& row : conf::protocols)
    status.sessions += sessions_.open(row.protocol);
  for (admin::UpstreamDetail& upstream : upstreams()) {
    // Passed over by every worker that asks it.
    const auto rests = [](const admin::UpstreamView& view) { return view.standing == "resting"; };
    const bool usable = !std::ranges::all_of(upstream.views, rests);
    std::string error;
    for (const admin::UpstreamView& view : upstream.views) {
      if (error.empty()) error = view.last_error;
    }
    status.upstreams.push_back({std::move(upstream.url), usable, upstream.queries, upstream.errors,
                                upstream.links_open, std::move(error)});
  }
  return status;
}

// ---- metrics that somebody else counts

void App::register_metrics() {
  admin::add_process_metrics(metrics_, options_.version);
  register_cache_metrics();
  register_keeper_metrics();
  register_session_metrics();
  metrics_.add_counter("sallyport_log_lines_dropped_total", {},
                       [this] { return static_cast<double>(log_.dropped()); });
  if (!certificates_) return;
  for (const certs::Store::Facts& facts : certificates_->facts()) {
    metrics_.add_gauge("sallyport_certificate_expiry_timestamp_seconds", {{"name", facts.name}},
                       [this, name = facts.name] {
                         for (const certs::Store::Facts& now : certificates_->facts()) {
                           if (now.name == name) return static_cast<double>(now.not_after);
                         }
                         return 0.0;  // replaced by a certificate with another name
                       });
  }
}

void App::register_cache_metrics() {
  const auto gauge = [this](std::string_view family, std::uint64_t cache::CacheStats::* field) {
    metrics_.add_gauge(family, {},
                       [this, field] { return static_cast<double>(cache_.stats().*field); });
  };
  gauge("sallyport_cache_entries", &cache::CacheStats::entries);
  gauge("sallyport_cache_octets", &cache::CacheStats::octets);
  gauge("sallyport_cache_budget_octets", &cache::CacheStats::budget);
  gauge("sallyport_cache_negative_octets", &cache::CacheStats::negative_octets);
  for (const auto& [result, count] : {std::pair{"renewed", &flights_.refreshes().renewed},
                                      std::pair{"failed", &flights_.refreshes().failed}}) {
    metrics_.add_counter("sallyport_cache_prefetches_total", {{"result", result}},
                         [count] { return static_cast<double>(count->load()); });
  }
  const auto counter = [this](std::string_view family, base::Labels labels,
                              std::uint64_t cache::CacheStats::* field) {
    metrics_.add_counter(family, std::move(labels),
                         [this, field] { return static_cast<double>(cache_.stats().*field); });
  };
  counter("sallyport_cache_inserts_total", {}, &cache::CacheStats::inserts);
  counter("sallyport_cache_evictions_total", {{"cause", "expired"}},
          &cache::CacheStats::evicted_expired);
  counter("sallyport_cache_evictions_total", {{"cause", "room"}},
          &cache::CacheStats::evicted_for_room);
  counter("sallyport_cache_evictions_total", {{"cause", "negative_share"}},
          &cache::CacheStats::evicted_negative);
  counter("sallyport_cache_evictions_total", {{"cause", "replaced"}}, &cache::CacheStats::replaced);
  counter("sallyport_cache_evictions_total", {{"cause", "flushed"}}, &cache::CacheStats::flushed);
}

void App::register_keeper_metrics() {
  const CacheKeeper::Facts& facts = keeper_.facts();
  for (const auto& [result, count] :
       {std::pair{"ok", &facts.saves}, std::pair{"failed", &facts.failed_saves}}) {
    metrics_.add_counter("sallyport_cache_saves_total", {{"result", result}},
                         [count] { return static_cast<double>(count->load()); });
  }
  metrics_.add_gauge("sallyport_cache_saved_entries", {},
                     [&facts] { return static_cast<double>(facts.saved_entries.load()); });
  metrics_.add_gauge("sallyport_cache_save_timestamp_seconds", {},
                     [&facts] { return static_cast<double>(facts.saved_at.load()); });
  for (const auto& [result, count] :
       {std::pair{"kept", &facts.loaded}, std::pair{"too_old", &facts.too_old},
        std::pair{"superseded", &facts.refused}, std::pair{"damaged", &facts.damaged}}) {
    metrics_.add_gauge("sallyport_cache_loaded_entries", {{"result", result}},
                       [count] { return static_cast<double>(count->load()); });
  }
}

void App::register_session_metrics() {
  metrics_.add_gauge("sallyport_queries_waiting", {},
                     [this] { return static_cast<double>(waiting_.taken()); });
  for (const conf::ProtocolRow& row : conf::protocols) {
    if (!row.stream) continue;
    metrics_.add_gauge(
        "sallyport_sessions", {{"transport", std::string{row.name}}},
        [this, protocol = row.protocol] { return static_cast<double>(sessions_.open(protocol)); });
  }
}

}  // namespace gateway
