// StreamUpstream: an exchange over the pool's links, counted.
#include "transports/upstreams/stream.h"

#include <algorithm>
#include <utility>

namespace transports {

StreamUpstream::StreamUpstream(const conf::Upstream& upstream, const UpstreamContext& context,
                               std::shared_ptr<certs::ClientContext> tls)
    : upstream_(upstream),
      metrics_(context.sheet, upstream),
      links_(upstream, context, metrics_, edns_, std::move(tls)) {}

Awaitable<base::Result<dns::KeptAnswer>> StreamUpstream::exchange(Ask ask,
                                                                  base::TimePoint deadline) {
  const base::TimePoint began = base::Clock::now();
  metrics_.query();
  base::Result<dns::KeptAnswer, Failure> result =
      co_await links_.exchange(ask, std::min(deadline, began + upstream_.timeout));
  if (!result) {
    metrics_.error(result.error().reason);
    co_return std::unexpected(std::move(result.error().error));
  }
  metrics_.reply(result->rcode, base::Clock::now() - began);
  co_return std::move(*result);
}

}  // namespace transports
