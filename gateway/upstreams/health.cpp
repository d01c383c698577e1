// The circuit breaker.
#include "gateway/upstreams/health.h"

#include <algorithm>
#include <utility>

namespace gateway::upstreams {

void Health::replied(base::TimePoint now) {
  failures_ = 0;
  if (standing_ != Standing::well) {
    standing_ = Standing::well;
    well_since_ = now;
    last_error_.clear();
  } else if (rests_ != 0 && now - well_since_ >= forgiven_after) {
    rests_ = 0;
  }
}

void Health::failed(base::TimePoint now, std::string why) {
  last_error_ = std::move(why);
  switch (standing_) {
    case Standing::well:
      if (++failures_ >= failures_before_rest) rest(now);
      break;
    case Standing::suspected: rest(now); break;
    case Standing::resting:
      // Queries that were under way when the rest began fail together; they count once.
      if (now >= probe_at_) rest(now);
      break;
  }
}

void Health::suspect(base::TimePoint now, std::string why) {
  if (standing_ != Standing::well) return;
  standing_ = Standing::suspected;
  probe_at_ = now;
  last_error_ = std::move(why);
}

void Health::rest(base::TimePoint now) {
  standing_ = Standing::resting;
  probe_at_ = now + std::min(rest_least * (1U << std::min(rests_, 4U)), rest_most);
  ++rests_;
}

}  // namespace gateway::upstreams
