// A Control that remembers what it was asked and says what a test wants. Thread-safe, as the real
// one must be.
#pragma once

#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gateway/admin/control.h"

namespace gateway::admin {

class FakeControl final : public Control {
 public:
  std::string scrape() override {
    note("scrape");
    return "# HELP x y\nx 1\n";
  }
  Health healthy() override {
    note("healthy");
    const std::lock_guard lock(mutex_);
    return health_;
  }
  ReloadOutcome reload() override {
    note("reload");
    const std::lock_guard lock(mutex_);
    return reload_;
  }
  std::uint64_t flush(const std::optional<dns::Name>& name, bool below) override {
    note("flush " + (name ? name->to_text() : "everything") + (below ? " below" : ""));
    return 3;
  }
  CacheStatus cache_stats() override {
    CacheStatus cache;
    cache.stats.entries = 7;
    cache.stats.octets = 1024;
    cache.stats.budget = 4096;
    cache.hits_fresh = 9;
    cache.misses = 1;
    return cache;
  }
  Status status() override {
    const std::lock_guard lock(mutex_);
    if (broken_) throw std::runtime_error("nothing to be said");
    Status status;
    status.version = "1.2.3";
    status.process_id = 42;
    status.configuration = "home.toml";
    status.workers = 2;
    status.listeners.push_back({"udp://127.0.0.1:53", 5});
    status.upstreams.push_back({.url = "tls://192.0.2.1",
                                .usable = false,
                                .queries = 4,
                                .errors = 2,
                                .links_open = 1,
                                .last_error = "closed before the reply"});
    return status;
  }

  std::vector<UpstreamDetail> upstreams() override {
    UpstreamDetail upstream;
    upstream.set = "default";
    upstream.strategy = "failover";
    upstream.url = "tls://192.0.2.1";
    upstream.line = 7;
    upstream.views.push_back({.worker = 0,
                              .standing = "resting",
                              .smoothed = std::chrono::microseconds{1500},
                              .p95 = std::chrono::microseconds{4000},
                              .last_error = "closed before the reply"});
    return {upstream};
  }
  std::vector<TestedUpstream> test_upstreams(const std::optional<std::string>& url) override {
    note("test " + url.value_or("all"));
    if (url && *url != "tls://192.0.2.1") return {};
    return {{"default", "tls://192.0.2.1", true, "NOERROR", std::chrono::microseconds{900}}};
  }
  bool drain_upstream(const std::string& url, bool drained) override {
    note((drained ? "drain " : "undrain ") + url);
    return url == "tls://192.0.2.1";
  }
  Explanation explain(const ExplainOrder& order) override {
    note("explain " + order.question.name.to_text() + (order.ask ? " ask" : ""));
    if (order.ask) may_explain_.get_future().wait();
    Explanation told;
    told.question = order.question;
    told.set = "default";
    told.cached = "absent";
    return told;
  }

  void set_health(Health health) {
    const std::lock_guard lock(mutex_);
    health_ = std::move(health);
  }
  void set_reload(ReloadOutcome outcome) {
    const std::lock_guard lock(mutex_);
    reload_ = std::move(outcome);
  }
  /// What asks upstreams waits for this.
  void let_explain() { may_explain_.set_value(); }
  void break_status() {
    const std::lock_guard lock(mutex_);
    broken_ = true;
  }
  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  void note(std::string what) {
    const std::lock_guard lock(mutex_);
    asked_.push_back(std::move(what));
  }

  std::promise<void> may_explain_;
  std::mutex mutex_;
  Health health_;
  ReloadOutcome reload_{.ok = true, .complaints = {}, .changes = {"2 upstreams"}};
  bool broken_ = false;
  std::vector<std::string> asked_;
};

}  // namespace gateway::admin
