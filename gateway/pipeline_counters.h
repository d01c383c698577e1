// What a worker counts of the queries it answers: rows registered at start, so that counting is an
// addition.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/counters.h"
#include "conf/config.h"
#include "dns/cookie.h"
#include "transports/query.h"

namespace gateway {

/// Why an answer whose time is over was given (RFC 8767 §5).
enum class StaleReason : std::uint8_t {
  slow,           ///< no upstream had answered within the client's patience
  failed,         ///< the upstreams were asked, and failed
  failed_before,  ///< they had failed a moment ago, and were not asked again (RFC 9520 §3.2)
};

/// Owned by its worker, counted on its thread.
class PipelineCounters {
 public:
  PipelineCounters(base::MetricSheet& sheet, std::span<const conf::ListenAddress> listeners);

  void query(const transports::Query& query);
  /// `took` is zero for what was answered at once: below the histogram's first bound, and no clock
  /// is asked.
  void response(conf::Protocol protocol, const transports::AnswerSummary& summary,
                std::chrono::nanoseconds took);
  void cache_hit() { hits_fresh_.add(); }
  void cache_hit_stale(StaleReason reason) {
    hits_stale_.add();
    stale_answers_[static_cast<std::size_t>(reason)]->add();
  }
  /// A refresh ahead of expiry for which there was no room.
  void prefetch_put_off() { prefetches_put_off_.add(); }
  void cache_miss() { misses_.add(); }
  /// What a query's COOKIE option turned out to be (RFC 7873 §5.2).
  void cookie(dns::ServerCookies::Check state) { cookies_[static_cast<std::size_t>(state)]->add(); }

 private:
  static constexpr std::size_t type_rows = 16;  // the usual types, and one row for all others
  static constexpr std::size_t rcode_rows = 8;
  static constexpr std::size_t source_rows = 6;
  static constexpr std::size_t protocol_rows = conf::protocols.size();

  struct ListenerRows {
    std::array<std::array<base::Counter*, type_rows>, 2> by_family;
  };
  std::vector<ListenerRows> queries_;
  std::array<std::array<std::array<base::Counter*, source_rows>, rcode_rows>, protocol_rows>
      responses_{};
  std::array<std::array<base::DurationHistogram*, source_rows>, protocol_rows> durations_{};
  base::Counter& hits_fresh_;
  base::Counter& hits_stale_;
  base::Counter& misses_;
  std::array<base::Counter*, 3> stale_answers_;
  base::Counter& prefetches_put_off_;
  std::array<base::Counter*, 4> cookies_;
};

}  // namespace gateway
