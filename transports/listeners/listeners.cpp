// The listeners by their protocol.
#include "transports/listeners/listeners.h"

#include <utility>

#include "transports/listeners/doh3.h"
#include "transports/listeners/doq.h"
#include "transports/listeners/stream.h"
#include "transports/listeners/udp.h"

namespace transports {

std::unique_ptr<Listener> make_listener(const conf::ListenAddress& address, std::uint16_t index,
                                        ListenerContext& context) {
  switch (address.protocol) {
    case conf::Protocol::udp: return std::make_unique<UdpListener>(address, index, context);
    case conf::Protocol::tcp:
    case conf::Protocol::dot:
    case conf::Protocol::doh:
    case conf::Protocol::http: return std::make_unique<StreamListener>(address, index, context);
    case conf::Protocol::doq: return std::make_unique<DoqListener>(address, index, context);
    case conf::Protocol::doh3: return std::make_unique<Doh3Listener>(address, index, context);
  }
  std::unreachable();
}

}  // namespace transports
