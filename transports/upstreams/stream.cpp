// StreamUpstream: an exchange over the pool's links, counted.
#include "transports/upstreams/stream.h"

#include <algorithm>
#include <utility>

namespace transports {

StreamUpstream::StreamUpstream(LinkMaker maker)
    : terms_(maker.terms), links_(std::move(maker), edns_) {}

Awaitable<base::Result<dns::KeptAnswer>> StreamUpstream::exchange(Ask ask,
                                                                  base::TimePoint deadline) {
  const base::TimePoint began = base::Clock::now();
  terms_->metrics.query();
  base::Result<dns::KeptAnswer, Failure> result =
      co_await links_.exchange(ask, std::min(deadline, began + terms_->upstream.timeout));
  if (!result) {
    terms_->metrics.error(result.error().reason);
    co_return std::unexpected(std::move(result.error().error));
  }
  terms_->metrics.reply(result->rcode, base::Clock::now() - began);
  co_return std::move(*result);
}

}  // namespace transports
