// What /proc says about this process, under the names of the Prometheus client libraries.
#pragma once

#include <string_view>

#include "base/counters.h"

namespace gateway::admin {

/// Registers process_* and sallyport_build_info. Values are read at each scrape, on the scraping
/// thread.
void add_process_metrics(base::MetricRegistry& registry, std::string_view version);

}  // namespace gateway::admin
