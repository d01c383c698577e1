// The page's name is the one that clients verify.
#include "transports/doh_service.h"

#include <format>

#include "transports/human_page.h"

namespace transports {

namespace {

/// The same name at another port, over UDP; remembered for a day.
std::string alternative_of(const conf::Server& server) {
  for (const conf::ListenAddress& address : server.listen) {
    if (address.protocol == conf::Protocol::doh3 && address.endpoint.port != 0)
      return std::format("h3=\":{}\"; ma=86400", address.endpoint.port);
  }
  return {};
}

}  // namespace

DohService::DohService(const conf::Config& config) : alternative(alternative_of(config.server)) {
  renew(config);
}

void DohService::renew(const conf::Config& config) {
  settings = config.doh;
  page = settings.page ? human_page(config.server.name, settings.paths.front()) : std::string{};
}

}  // namespace transports
