// What a reload would change, for the operator: what counts at once, and what waits for the next
// start.
#pragma once

#include <string>
#include <vector>

#include "conf/config.h"

namespace conf {

struct Changes {
  /// Sentences: "`query_timeout` in [limits] is now \"2s\" (was \"4s\")", "upstream
  /// tls://9.9.9.9#dns.quad9.net is new".
  std::vector<std::string> at_once;
  std::vector<std::string> after_restart;

  [[nodiscard]] bool none() const { return at_once.empty() && after_restart.empty(); }
};

/// From the tables' rows, in their order.
Changes changes(const Config& running, const Config& loaded);

}  // namespace conf
