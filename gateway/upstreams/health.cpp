// The circuit breaker.
#include "gateway/upstreams/health.h"

#include <algorithm>
#include <utility>

namespace gateway::upstreams {

void Health::replied(base::TimePoint now) {
  failures_ = 0;
  if (standing_ != Standing::well) return recover(now);
  if (rests_ != 0 && now - well_since_ >= forgiven_after) rests_ = 0;
}

void Health::answered_probe(base::TimePoint now) {
  failed_probes_ = 0;
  if (standing_ == Standing::well) return;
  failures_ = std::min(failures_, failures_before_rest - 1);
  recover(now);
}

void Health::recover(base::TimePoint now) {
  standing_ = Standing::well;
  well_since_ = now;
  last_error_.clear();
}

void Health::failed(base::TimePoint now, std::string why) {
  count_failure(failures_, now, std::move(why));
}

void Health::failed_probe(base::TimePoint now, std::string why) {
  count_failure(failed_probes_, now, std::move(why));
}

void Health::count_failure(unsigned& in_a_row, base::TimePoint now, std::string why) {
  last_error_ = std::move(why);
  switch (standing_) {
    case Standing::well:
      if (++in_a_row >= failures_before_rest) rest(now);
      break;
    case Standing::suspected: rest(now); break;
    case Standing::resting:
      // Queries that were under way when the rest began fail together; they count once.
      if (now >= probe_at_) rest(now);
      break;
  }
}

void Health::outrun(base::TimePoint now, std::string why) {
  if (standing_ == Standing::resting) return failed(now, std::move(why));
  last_error_ = std::move(why);
  if (++failures_ >= failures_before_rest) rest(now);
}

void Health::suspect(base::TimePoint now, std::string why) {
  if (standing_ != Standing::well) return;
  standing_ = Standing::suspected;
  probe_at_ = now;
  last_error_ = std::move(why);
}

void Health::rest(base::TimePoint now) {
  standing_ = Standing::resting;
  failures_ = failures_before_rest;
  probe_at_ = now + std::min(rest_least * (1U << std::min(rests_, 4U)), rest_most);
  ++rests_;
}

}  // namespace gateway::upstreams
