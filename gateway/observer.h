// Somebody who watches queries being answered: the demonstration's line per query. The pipeline
// holds a pointer that is null in ordinary service, so that the hot path pays one branch which is
// always predicted.
#pragma once

#include <chrono>

#include "transports/query.h"

namespace gateway {

/// Owned by whoever starts the gateway; outlives its workers. Called on every worker's thread,
/// possibly at once.
class QueryObserver {
 public:
  virtual ~QueryObserver() = default;

  /// After the answer to `query` was made and before it leaves. `took` is from receipt to now. Must
  /// not block for long: the worker waits.
  virtual void answered(const transports::Query& query, const transports::AnswerSummary& summary,
                        std::chrono::nanoseconds took) = 0;
};

}  // namespace gateway
