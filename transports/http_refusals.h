// `sallyport_http_refusals_total`: requests that got a status instead of an answer. Owned by a
// worker; one thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/counters.h"

namespace transports {

class HttpRefusals {
 public:
  explicit HttpRefusals(base::MetricSheet& sheet) : sheet_(sheet) {}

  void count(std::uint16_t status);

 private:
  struct Row {
    std::uint16_t status;
    base::Counter* counter;
  };

  base::MetricSheet& sheet_;
  std::vector<Row> rows_;  // a dozen at most: statuses are ours
};

}  // namespace transports
