// The upstreams' one door: from a configuration's row to an Upstream. Each is owned by its home
// worker's upstream set.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "base/counters.h"
#include "base/log.h"
#include "certs/tls_context.h"
#include "conf/config.h"
#include "transports/awaitable.h"
#include "transports/channel.h"
#include "transports/timer_wheel.h"
#include "transports/upstreams/known_host.h"
#include "transports/upstreams/random.h"
#include "transports/upstreams/upstream.h"

namespace transports {

namespace quic {
struct QlogPlace;
}

/// What upstreams use of their worker. Outlives them, as does everything in it.
struct UpstreamContext {
  Executor executor;
  Random& random;
  ChannelBuffers& receive_buffer;
  certs::Authorities& authorities;
  base::MetricSheet& sheet;
  base::Log& log;
  TimerWheel& timers;                      ///< of milliseconds: datagrams are sent again by it
  Hosts* hosts = nullptr;                  ///< null where no upstream has to be looked up
  const quic::QlogPlace* qlogs = nullptr;  ///< null where nobody logs
};

/// For starting up and reloading: reads the upstream's ca_file. The error is a sentence for the
/// operator.
std::expected<std::unique_ptr<Upstream>, std::string> make_upstream(const conf::Upstream& upstream,
                                                                    const UpstreamContext& context);

}  // namespace transports
