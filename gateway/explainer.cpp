// Explainer: judge, find, exchange, in the words of the pipeline.
#include "gateway/explainer.h"

#include <algorithm>
#include <utility>

#include "cache/answer_cache.h"
#include "cache/lifetime.h"
#include "dns/verdict.h"
#include "gateway/policy/types.h"

namespace gateway {
namespace {

std::chrono::microseconds microseconds(base::Clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration);
}

/// Writes down how long a step took when it is over.
class Stopwatch {
 public:
  explicit Stopwatch(std::chrono::nanoseconds& took) : took_(took) {}
  ~Stopwatch() { took_ = base::Clock::now() - began_; }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  std::chrono::nanoseconds& took_;
  base::TimePoint began_ = base::Clock::now();
};

}  // namespace

admin::UpstreamView view_of(const upstreams::UpstreamSet::State& state, std::uint32_t worker) {
  return {.worker = worker,
          .standing = std::string{to_text(state.standing)},
          .smoothed = state.smoothed,
          .p95 = state.p95,
          .last_error = state.last_error};
}

admin::UpstreamDetail detail_of(const upstreams::UpstreamSet::State& state) {
  admin::UpstreamDetail detail;
  detail.set = state.set;
  detail.strategy = to_text(state.strategy);
  detail.url = state.name;
  detail.line = state.line;
  detail.drained = state.drained;
  return detail;
}

void Explainer::begin(const Home::Parts& parts, std::shared_ptr<upstreams::Sets> sets,
                      const admin::ExplainOrder& order, Told told) {
  const auto explainer = std::make_shared<Explainer>(std::move(told));
  explainer->story_.question = order.question;
  explainer->began_ = base::Clock::now();
  const std::shared_ptr<const Snapshot> snapshot = parts.snapshots.share();
  explainer->story_.from = order.from;
  explainer->limits_ = snapshot->config.cache;
  if (!explainer->judge(*snapshot) || !sets) return explainer->tell();
  const bool known = explainer->find(parts, *snapshot);
  explainer->choose(*snapshot, *sets->set_of(order.question.name));
  if (known && !order.ask) return explainer->tell();
  explainer->exchange(std::move(sets), explainer->began_ + snapshot->config.limits.query_timeout);
}

bool Explainer::judge(const Snapshot& snapshot) {
  const Stopwatch stopwatch(story_.judge_took);
  const conf::Server& server = snapshot.config.server;
  story_.file = snapshot.config.source;
  story_.allow_line = server.allow_line.number;
  story_.allowed = snapshot.allowed.allows(story_.from);
  if (!story_.allowed) {
    story_.rcode = dns::to_text(dns::Rcode::refused);
    return false;
  }
  const auto range = std::ranges::find_if(
      server.allow, [this](const base::Prefix& each) { return each.contains(story_.from); });
  if (range != server.allow.end()) story_.allowed_by = range->to_text();
  if (!policy::is_forwarded(story_.question.type)) {
    story_.answered_here = "this type is not forwarded (RFC 5936)";
    story_.rcode = dns::to_text(dns::Rcode::refused);
    return false;
  }
  policy::LocalAnswer answer;
  if (snapshot.special_names.answer(story_.question, false, answer)) {
    story_.answered_here = "a special name (RFC 6761, RFC 6303)";
    story_.rcode = dns::to_text(answer.view().rcode);
    return false;
  }
  return true;
}

bool Explainer::find(const Home::Parts& parts, const Snapshot& snapshot) {
  const Stopwatch stopwatch(story_.find_took);
  const base::EpochBatch batch{parts.epoch};
  const base::Seconds32 now = base::seconds_of(base::Clock::now());
  const cache::Key key = parts.cache.key_of(story_.question, false, false);
  const cache::Found found = parts.cache.find(key, now);
  FlightKey flight;
  flight.question = story_.question;
  flight.hash = key.hash;
  story_.under_way = parts.flights.is_late(flight, base::Clock::now(), {});
  using State = cache::Found::State;
  if (found.state != State::fresh && !found.failure_remembered) {
    const std::size_t route_size = snapshot.routes.find(story_.question.name).suffix_size;
    const cache::Found cut = parts.cache.find_cut(key, now, route_size);
    if (cut.state == State::fresh) return write_down("cut", cut);
  }
  // As Pipeline::find(): what is stale bridges failures, and no verdict.
  const bool verdict = found.failure_remembered && dns::is_believed(found.failure);
  if (found.state == State::fresh) return write_down("fresh", found);
  if (found.state == State::stale && !verdict) {
    write_down("stale", found);
    return found.failure_remembered;
  }
  story_.cached = found.failure_remembered ? "failure" : "absent";
  if (!found.failure_remembered) return false;
  story_.cached_rcode = dns::to_text(found.failure.rcode);
  story_.ttl_left = found.failure_ttl_left;
  return true;
}

bool Explainer::write_down(std::string_view state, const cache::Found& found) {
  story_.cached = state;
  story_.cached_rcode = dns::to_text(found.answer.rcode);
  story_.age = found.age;
  story_.ttl_left = found.ttl_left;
  story_.usable_for = found.usable_for;
  return true;
}

void Explainer::choose(const Snapshot& snapshot, upstreams::UpstreamSet& set) {
  const Stopwatch stopwatch(story_.route_took);
  const policy::Routes::Found route = snapshot.routes.find(story_.question.name);
  if (route.line != 0) {
    const base::Bytes wire = story_.question.name.view().wire();
    story_.route = dns::NameView{wire.subspan(wire.size() - route.suffix_size)}.to_text();
    story_.route_line = route.line;
  }
  story_.set = set.terms().name;
  story_.strategy = to_text(set.terms().strategy);
  story_.hedge_percent = set.terms().hedge;
  states_ = set.states();
  list_upstreams(set.choose(story_.question));
}

void Explainer::list_upstreams(const upstreams::Order& order) {
  story_.upstreams.clear();
  for (const std::uint8_t index : order.view()) {
    admin::UpstreamDetail& detail = story_.upstreams.emplace_back(detail_of(states_[index]));
    detail.views.push_back(view_of(states_[index], 0));
  }
}

void Explainer::exchange(std::shared_ptr<upstreams::Sets> sets, base::TimePoint deadline) {
  story_.asked = true;
  upstreams::Sets& asked = *sets;
  asked.begin(
      {story_.question, false, false}, deadline,
      [self = shared_from_this(), sets = std::move(sets)](upstreams::Race::Reply reply) {
        self->replied(std::move(reply));
      },
      &trace_);
}

/// As Home::store() would, but for what is known of how the name changes.
void Explainer::look_at_lifetime(const dns::KeptAnswer& reply) {
  const cache::Lifetime lifetime = cache::lifetime_of(dns::facts_of(reply.view()), limits_);
  if (!lifetime.keep) return;
  story_.fresh_for = lifetime.fresh_seconds;
  story_.stale_for = lifetime.stale_seconds;
}

void Explainer::replied(upstreams::Race::Reply reply) {
  story_.took = microseconds(base::Clock::now() - began_);
  list_upstreams(trace_.order);  // chance may have another now than before
  for (upstreams::TriedUpstream& tried : trace_.tries) {
    story_.attempts.push_back({std::move(tried.name), tried.line, std::string{to_text(tried.why)},
                               microseconds(tried.began), microseconds(tried.took),
                               std::move(tried.outcome)});
  }
  if (reply) {
    story_.rcode = dns::to_text(reply->rcode);
    look_at_lifetime(*reply);
  } else {
    story_.error = std::move(reply.error().context);
  }
  tell();
}

}  // namespace gateway
