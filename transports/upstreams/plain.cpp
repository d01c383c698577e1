// PlainUpstream: its exchanges' beginning and end.
#include "transports/upstreams/plain.h"

#include <utility>

namespace transports {

Awaitable<base::Result<dns::KeptAnswer>> PlainUpstream::exchange(Ask ask,
                                                                 base::TimePoint deadline) {
  return begin_and_wait(*this, std::move(ask), deadline, parts_.executor);
}

void PlainUpstream::begin(Ask ask, base::TimePoint deadline, Asker& asker,
                          const Executor& /*executor*/) {
  parts_.exchanges.take(parts_).begin(std::move(ask), deadline, asker);
}

/// Each burst of queries goes the way there is; those that wait have gone the old one.
bool PlainUpstream::network_changed() {
  const bool tcp = parts_.tcp.network_changed();
  if (!parts_.way_changed()) return tcp;
  const bool any = parts_.under_way.count() > 0;
  parts_.ask_afresh();
  return tcp || any;
}

Awaitable<void> PlainUpstream::close(base::TimePoint drain_until) {
  parts_.closing = true;
  co_await parts_.under_way.none_left(drain_until);
  // One that ends may be gone, and the last of the row, which was seen before, stands in its place.
  const auto& all = parts_.exchanges.all();
  for (std::size_t i = all.size(); i-- > 0;) {
    if (i < all.size()) all[i]->give_up();
  }
  co_await parts_.tcp.close(drain_until);
  co_await parts_.under_way.none_left(base::TimePoint::max());  // each of them has been told
}

}  // namespace transports
