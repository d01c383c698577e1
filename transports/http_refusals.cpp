// Counting refusals by their status.
#include "transports/http_refusals.h"

#include <algorithm>
#include <string>

namespace transports {

void HttpRefusals::count(std::uint16_t status) {
  const auto found = std::ranges::find(rows_, status, &Row::status);
  if (found != rows_.end()) return found->counter->add();
  base::Counter& made =
      sheet_.counter("sallyport_http_refusals_total", {{"status", std::to_string(status)}});
  rows_.push_back({status, &made});
  made.add();
}

}  // namespace transports
