// The page's name is the one that clients verify.
#include "transports/doh_service.h"

#include "transports/human_page.h"

namespace transports {

DohService::DohService(const conf::Config& config) : settings(config.doh) {
  if (settings.page) page = human_page(config.server.name, settings.paths.front());
}

}  // namespace transports
