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
#include "transports/query.h"

namespace gateway {

/// Owned by its worker, counted on its thread.
class PipelineCounters {
 public:
  PipelineCounters(base::MetricSheet& sheet, std::span<const conf::ListenAddress> listeners);

  void query(const transports::Query& query);
  /// `took` is zero for what was answered at once: below the histogram's first bound, and no clock
  /// is asked.
  void response(conf::Protocol protocol, const transports::AnswerSummary& summary,
                std::chrono::nanoseconds took);
  void cache_hit(bool stale) { (stale ? hits_stale_ : hits_fresh_).add(); }
  void cache_miss() { misses_.add(); }

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
};

}  // namespace gateway
