// `sallyport_tls_handshakes_total` of one listener. Owned by it; one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/counters.h"
#include "transports/channel.h"

namespace transports {

class HandshakeCounters {
 public:
  HandshakeCounters(base::MetricSheet& sheet, std::string_view transport)
      : sheet_(sheet), transport_(transport) {}

  void succeeded(const TlsFacts& facts);
  /// `result` is a literal: "failed", "timeout".
  void failed(std::string_view result);

 private:
  struct Row {
    std::string version;
    std::string group;
    bool resumed;
    std::string result;
    base::Counter* counter;
  };
  void count(std::string_view version, std::string_view group, bool resumed,
             std::string_view result);

  base::MetricSheet& sheet_;
  std::string transport_;
  std::vector<Row> rows_;  // a dozen at most: versions, groups and results are ours
};

}  // namespace transports
