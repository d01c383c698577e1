// The inventory: App owns everything in dependency order, so that construction and destruction are right for free.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/counters.h"
#include "base/epoch.h"
#include "base/log.h"
#include "cache/answer_cache.h"
#include "certs/store.h"
#include "certs/tls_context.h"
#include "conf/config.h"
#include "conf/load.h"
#include "dns/cookie.h"
#include "gateway/admin/control.h"
#include "gateway/flights.h"
#include "gateway/observer.h"
#include "gateway/snapshot.h"
#include "gateway/worker.h"

namespace gateway {

class App final : public admin::Control {
 public:
  struct Options {
    /// Reads the configuration again, for reload(). Null: this configuration has no file, and a reload is refused.
    std::function<std::expected<conf::Config, conf::Complaints>()> read_again;
    QueryObserver* observer = nullptr;          ///< outlives the App
    std::chrono::milliseconds drain_most{5000}; ///< how long a stop waits for what was accepted
  };

  /// Binds every listener and starts the workers; throws std::runtime_error with a sentence when it cannot.
  App(conf::Config config, base::Log& log, base::MetricRegistry& metrics, Options options);
  ~App() override;

  /// Drains and ends; from any thread, once. The destructor does it when nobody did.
  void stop();

  /// In the configuration's order, with the ports that are really listened on.
  [[nodiscard]] std::vector<conf::ListenAddress> listening() const;

  std::string scrape() override;
  admin::Health healthy() override;
  admin::ReloadOutcome reload() override;
  std::uint64_t flush(const std::optional<dns::Name>& name, bool below) override;
  admin::CacheStatus cache_stats() override;
  admin::Status status() override;

 private:
  void register_gauges();
  void apply(const std::shared_ptr<const Snapshot>& snapshot);

  base::Log& log_;
  base::MetricRegistry& metrics_;
  Options options_;
  std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  base::Epochs epochs_;
  base::MetricSheet& sheet_;
  dns::ServerCookies cookies_;
  certs::Authorities authorities_;
  certs::Store certificates_;
  cache::AnswerCache cache_;
  Snapshots snapshots_;
  Flights flights_;
  transports::SessionRegistry sessions_;
  std::vector<HomePort> homes_;
  SharedParts shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::mutex reload_mutex_;
  std::atomic<bool> stopping_{false};
};

}  // namespace gateway
