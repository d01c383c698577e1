// The inventory: App owns everything in dependency order, so that construction and destruction are
// right for free.
#pragma once

#include <atomic>
#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
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
#include "gateway/admin/http_server.h"
#include "gateway/cache_keeper.h"
#include "gateway/flights.h"
#include "gateway/observer.h"
#include "gateway/snapshot.h"
#include "gateway/upstreams/address_book.h"
#include "gateway/worker.h"
#include "transports/session_registry.h"
#include "transports/waiting_budget.h"

namespace gateway {

class App final : public admin::Control {
 public:
  struct Options {
    std::string_view version;
    /// Reads the configuration again, for reload(). Null: it has no file, and a reload is refused.
    std::function<std::expected<conf::Config, conf::Complaints>()> read_again;
    QueryObserver* observer = nullptr;           ///< outlives the App
    std::chrono::milliseconds drain_most{5000};  ///< how long stop() waits for what was accepted
  };

  /// Takes the state directory, binds every listener, starts the workers and takes queries. Throws
  /// std::runtime_error with sentences when it cannot.
  App(const conf::Config& config, base::Log& log, Options options);
  ~App() override;

  /// No new work; what was accepted is answered; everything ends. Once, from any thread but a
  /// worker's; the destructor does it when nobody did.
  void stop();

  /// In the configuration's order, with the ports that are really listened on.
  [[nodiscard]] const std::vector<conf::ListenAddress>& listening() const { return listening_; }
  [[nodiscard]] std::optional<base::Endpoint> admin_endpoint() const;
  /// The internal authority's certificate for clients to trust; empty when the operator's
  /// certificates serve.
  [[nodiscard]] std::string authority_file() const;

  std::string scrape() override;
  admin::Health healthy() override;
  admin::ReloadOutcome reload() override;
  std::uint64_t flush(const std::optional<dns::Name>& name, bool below) override;
  admin::CacheStatus cache_stats() override;
  admin::Status status() override;
  std::vector<admin::UpstreamDetail> upstreams() override;
  std::vector<admin::TestedUpstream> test_upstreams(const std::optional<std::string>& url) override;
  bool drain_upstream(const std::string& url, bool drained) override;
  admin::Explanation explain(const admin::ExplainOrder& order) override;

 private:
  void start_workers();
  void register_metrics();
  void register_cache_metrics();
  void register_keeper_metrics();
  void register_session_metrics();
  /// New upstreams on every home and new limits everywhere; a sentence when an upstream cannot be
  /// made, and then nothing has changed anywhere.
  std::expected<void, std::string> configure_workers(
      const std::shared_ptr<const Snapshot>& snapshot);
  std::vector<std::vector<upstreams::UpstreamSet::State>> upstream_states();
  void count_in(admin::UpstreamDetail& detail) const;
  admin::ReloadOutcome refuse_reload(std::vector<std::string> complaints);

  base::Log& log_;
  Options options_;
  std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  std::unique_ptr<admin::ControlSocket>
      control_socket_;  // first: the state directory is ours from here on
  base::MetricRegistry metrics_;
  base::MetricSheet& sheet_;  // counted on the admin thread alone
  base::Epochs epochs_;
  Snapshots snapshots_;
  dns::ServerCookies cookies_;
  certs::Authorities authorities_;
  std::unique_ptr<certs::Store> certificates_;  // null when nothing is encrypted
  cache::AnswerCache cache_;
  CacheKeeper keeper_;
  upstreams::AddressBook book_;
  Flights flights_;
  transports::SessionRegistry sessions_;
  transports::WaitingBudget waiting_;
  transports::quic::Process quic_;
  std::vector<HomePort> homes_;
  SharedParts shared_;
  std::vector<conf::ListenAddress> listening_;
  std::vector<std::unique_ptr<Worker>> workers_;
  upstreams::AddressBook::StopAtEnd book_end_{book_};
  std::mutex reload_mutex_;
  std::atomic<bool> stopping_{false};
  admin::HttpServer admin_;  // last: it asks all of the above
};

}  // namespace gateway
