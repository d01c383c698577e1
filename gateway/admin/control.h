// What the admin server may ask of the gateway, and nothing else. Implemented by gateway::App.
// Calls come from the admin thread, one at a time, while workers go on answering: an implementation
// is thread-safe against them. Those that wait for upstreams come from other threads beside it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cache/answer_cache.h"
#include "dns/name.h"
#include "gateway/admin/inspection.h"

namespace gateway::admin {

/// `GET /healthz`: 200 when `ok`, else 503 with the reasons.
struct Health {
  bool ok = true;
  std::vector<std::string>
      reasons;  ///< one clause each: "draining", "no upstream has answered for 30 s"
};

/// A reload builds a whole new snapshot and swaps it, or changes nothing and says why.
struct ReloadOutcome {
  bool ok = false;
  std::vector<std::string>
      complaints;  ///< why not; whole texts with line and caret (conf::Complaint::to_text)
  std::vector<std::string> changes;  ///< what is different now, and what takes a restart
};

/// `sallyport cache stats`.
struct CacheStatus {
  cache::CacheStats stats;
  std::uint64_t hits_fresh = 0;
  std::uint64_t hits_stale = 0;
  std::uint64_t misses = 0;
  std::uint64_t stale_because_slow = 0;  ///< of `hits_stale`: upstreams were slow, not failing
  std::uint64_t prefetched = 0;          ///< refreshed before they ended
  std::uint64_t loaded_entries = 0;      ///< at the start, from what the last run saved
  std::uint64_t saved_entries = 0;
  std::int64_t saved_at = 0;  ///< Unix time of the last save; 0: none in this run
};

struct ListenerStatus {
  std::string url;  ///< with the port that is really listened on
  std::uint64_t queries = 0;
};

struct UpstreamStatus {
  std::string url;
  bool usable = true;  ///< false while it is passed over after failures
  std::uint64_t queries = 0;
  std::uint64_t errors = 0;
  std::uint64_t links_open = 0;  ///< TCP or TLS connections now
  std::string last_error;        ///< empty when the last exchange went well
};

/// `sallyport status`. Counts are since the start.
struct Status {
  std::string version;
  std::int64_t process_id = 0;
  std::chrono::system_clock::time_point started;
  std::string configuration;  ///< path of the file, or "built-in defaults"
  std::string state_directory;
  std::uint32_t workers = 0;
  std::uint64_t queries = 0;
  std::uint64_t sessions = 0;  ///< open now
  std::vector<ListenerStatus> listeners;
  std::vector<UpstreamStatus> upstreams;
};

class Control {
 public:
  virtual ~Control() = default;

  /// Prometheus text format 0.0.4.
  [[nodiscard]] virtual std::string scrape() = 0;
  [[nodiscard]] virtual Health healthy() = 0;
  virtual ReloadOutcome reload() = 0;
  /// Without a name: everything. Gives how many entries went.
  virtual std::uint64_t flush(const std::optional<dns::Name>& name, bool below) = 0;
  [[nodiscard]] virtual CacheStatus cache_stats() = 0;
  [[nodiscard]] virtual Status status() = 0;
  [[nodiscard]] virtual std::vector<UpstreamDetail> upstreams() = 0;
  /// Asks those of that name, or all, and waits for them, on any thread; nothing when there is none
  /// of that name.
  virtual std::vector<TestedUpstream> test_upstreams(const std::optional<std::string>& url) = 0;
  /// No new queries to it while there is another, or again as ever; until the process ends. False:
  /// there is no such upstream.
  virtual bool drain_upstream(const std::string& url, bool drained) = 0;
  /// Lives the life of a query, and waits for it, on any thread.
  virtual Explanation explain(const ExplainOrder& order) = 0;
};

}  // namespace gateway::admin
