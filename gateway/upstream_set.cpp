// Choosing an upstream and going on to the next.
#include "gateway/upstream_set.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace gateway {
namespace {

bool is_believed(dns::Rcode rcode) {
  return rcode == dns::Rcode::noerror || rcode == dns::Rcode::nxdomain;
}

}  // namespace

void UpstreamHealth::succeeded() {
  failures_ = 0;
  last_error_.clear();
}

void UpstreamHealth::failed(base::TimePoint now, std::string why) {
  ++failures_;
  last_error_ = std::move(why);
  if (!is_well()) rests_until_ = now + rest();
}

bool UpstreamHealth::resting(base::TimePoint now) {
  if (is_well()) return false;
  if (now < rests_until_) return true;
  rests_until_ = now + rest();
  return false;
}

std::chrono::seconds UpstreamHealth::rest() const {
  const unsigned doublings = std::min(failures_ - failures_before_rest, 5U);
  return std::min(rest_least * (1U << doublings), rest_most);
}

UpstreamSet::UpstreamSet(std::vector<Member> members, base::Log& log) : log_(log) {
  for (Member& member : members) members_.push_back({std::move(member), {}});
}

std::vector<UpstreamSet::Watched*> UpstreamSet::order(base::TimePoint now) {
  std::vector<Watched*> well;
  std::vector<Watched*> resting;
  for (Watched& watched : members_)
    (watched.health.resting(now) ? resting : well).push_back(&watched);
  well.insert(well.end(), resting.begin(), resting.end());  // better a doubtful one than none
  return well;
}

transports::Awaitable<base::Result<dns::KeptAnswer>> UpstreamSet::resolve(
    transports::Ask ask, base::TimePoint deadline) {
  std::optional<dns::KeptAnswer> doubted;
  base::Error last{base::Blame::us, base::Retry::never, "no upstream is configured"};
  const std::vector<Watched*> tries = order(base::Clock::now());
  for (std::size_t i = 0; i < tries.size(); ++i) {
    Watched& watched = *tries[i];
    const base::TimePoint now = base::Clock::now();
    if (now >= deadline) break;
    const auto share = (deadline - now) / static_cast<std::ptrdiff_t>(tries.size() - i);
    const auto patience = std::min<base::Clock::duration>(watched.member.timeout, share);
    auto reply = co_await watched.member.upstream->exchange(ask, now + patience);
    if (!reply) {
      last = std::move(reply.error());
      if (last.blame == base::Blame::upstream) note_failure(watched, last);
      continue;
    }
    note_success(watched);
    if (is_believed(reply->rcode)) co_return std::move(*reply);
    if (!doubted) doubted = std::move(*reply);
  }
  if (doubted) co_return std::move(*doubted);
  co_return std::unexpected(std::move(last));
}

void UpstreamSet::note_failure(Watched& watched, const base::Error& error) {
  const bool was_well = watched.health.is_well();
  watched.health.failed(base::Clock::now(), error.context);
  if (was_well && !watched.health.is_well()) {
    log_.warning("upstream keeps failing and is passed over for a while",
                 {{"upstream", watched.member.upstream->name()}, {"error", error.context}});
  }
}

void UpstreamSet::note_success(Watched& watched) {
  if (!watched.health.is_well()) {
    log_.info("upstream answers again", {{"upstream", watched.member.upstream->name()}});
  }
  watched.health.succeeded();
}

transports::Awaitable<void> UpstreamSet::close(base::TimePoint drain_until) {
  for (Watched& watched : members_) co_await watched.member.upstream->close(drain_until);
}

std::vector<UpstreamSet::State> UpstreamSet::states() const {
  std::vector<State> states;
  for (const Watched& watched : members_) {
    states.push_back({std::string{watched.member.upstream->name()}, watched.health.is_well(),
                      watched.health.last_error()});
  }
  return states;
}

}  // namespace gateway
