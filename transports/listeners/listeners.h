// Making listeners, and what they need of their worker. RFC 1035 §4.2, RFC 7766, RFC 7858, RFC
// 9250.
#pragma once

#include <cstdint>
#include <memory>

#include "conf/config.h"
#include "transports/answerer.h"
#include "transports/listener.h"
#include "transports/transport_counters.h"
#include "transports/waiting_budget.h"

namespace base {
class Log;
}
namespace certs {
class Store;
}

namespace transports {

struct DohService;
class SessionRegistry;
struct StreamWorkspace;
class TimerWheel;
class UdpBatch;
namespace quic {
struct Workspace;
}

/// Everything outlives the listeners, and what is not the worker's outlives the loop: queries that
/// still wait when it ends give their places back. The rest is shared by all and thread-safe.
struct ListenerContext {
  boost::asio::io_context& io;       ///< the worker's
  Answerer& answerer;                ///< the worker's
  const conf::Limits& limits;        ///< the worker's; read anew for each query, may change between
  const conf::Proxy& proxy;          ///< likewise
  const DohService& doh;             ///< likewise
  const certs::Store* certificates;  ///< null where nothing is encrypted
  WaitingBudget& waiting;
  SessionRegistry& sessions;
  TimerWheel& timers;          ///< the worker's
  UdpBatch& udp_batch;         ///< the worker's
  StreamWorkspace& streams;    ///< the worker's
  base::MetricSheet& metrics;  ///< the worker's
  DropCounters& drops;         ///< the worker's
  base::Log& log;
  quic::Workspace* quic = nullptr;  ///< the worker's; null where no QUIC is spoken
};

/// Opens the socket. `index` is the address's place in the configuration's list. Throws
/// std::runtime_error with a sentence: "tls://0.0.0.0:853: permission denied; ports below 1024 need
/// CAP_NET_BIND_SERVICE".
std::unique_ptr<Listener> make_listener(const conf::ListenAddress& address, std::uint16_t index,
                                        ListenerContext& context);

}  // namespace transports
