// The demonstration's line per answered query, on standard output. Owned by the demonstration.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "gateway/observer.h"

namespace gateway::demo {

/// "www.demo.test. A  dot  NOERROR  upstream  1.3 ms", or the same as JSON.
std::string line_of(const transports::Query& query, const transports::AnswerSummary& summary,
                    std::chrono::nanoseconds took, bool json);

/// A line that the descriptor does not take at once (a terminal that was stopped, a pipe nobody
/// reads) is left out: no worker waits for a screen.
class QueryLines final : public QueryObserver {
 public:
  QueryLines(int descriptor, bool json) : descriptor_(descriptor), json_(json) {}

  void answered(const transports::Query& query, const transports::AnswerSummary& summary,
                std::chrono::nanoseconds took) override;

 private:
  int descriptor_;
  bool json_;
  std::mutex mutex_;  // between asking for room and filling it
};

}  // namespace gateway::demo
