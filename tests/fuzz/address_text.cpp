// Any text as an address, a range and a URL: what is taken is the same when it is printed and read
// again.
#include "base/address.h"

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "conf/units.h"
#include "conf/urls.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (const auto address = base::Address::from_text(text)) {
    require(base::Address::from_text(address->to_text()) == address);
    const base::Endpoint endpoint{.address = *address, .port = 853};
    sockaddr_storage storage;
    require(endpoint.to_sockaddr(storage) <= sizeof storage);
    require(base::Endpoint::from_sockaddr(reinterpret_cast<const sockaddr&>(storage)) == endpoint);
  }
  if (const auto prefix = base::Prefix::from_text(text)) {
    require(base::Prefix::from_text(prefix->to_text()) == prefix);
    require(prefix->contains(prefix->address()));
    require(base::Prefix::covering(prefix->address(), prefix->length()) == *prefix);
  }
  if (const auto upstream = conf::read_upstream_url(text)) {
    require(upstream->url == text && upstream->endpoint.port != 0);
    require(conf::row_of(upstream->protocol).encrypted == !upstream->tls_name.empty());
  }
  if (const auto listener = conf::read_listen_url(text)) require(listener->text == text);
  if (const auto endpoint = conf::read_endpoint(text)) {
    require(conf::read_endpoint(endpoint->to_text()).value() == *endpoint);
  }
  if (const auto resolver = conf::read_resolver(text)) {
    require(conf::read_resolver(resolver->to_text()).value() == *resolver);
  }
  if (const auto duration = conf::parse_duration(text)) {
    require(conf::parse_duration(conf::duration_to_text(*duration)).value() == *duration);
  }
  if (const auto octets = conf::parse_size(text)) {
    require(conf::parse_size(conf::size_to_text(*octets)).value() == *octets);
  }
  return 0;
}
