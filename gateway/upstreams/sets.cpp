// From a name to its set.
#include "gateway/upstreams/sets.h"

#include <algorithm>
#include <utility>

namespace gateway::upstreams {

void Sets::add(std::shared_ptr<UpstreamSet> set) {
  set->begin_probing();
  sets_.push_back(std::move(set));
}

void Sets::inherit(const Sets& old) {
  for (const UpstreamSet::State& state : old.states()) {
    if (state.drained) drain(state.name, true);
  }
}

void Sets::begin(const transports::Ask& ask, base::TimePoint deadline, Race::Handler handler,
                 Trace* trace) {
  set_of(ask.question.name)->begin(ask, deadline, std::move(handler), trace);
}

transports::Awaitable<base::Result<dns::KeptAnswer>> Sets::resolve(transports::Ask ask,
                                                                   base::TimePoint deadline,
                                                                   Trace* trace) {
  UpstreamSet& set = *set_of(ask.question.name);
  return set.resolve(std::move(ask), deadline, trace);
}

const std::shared_ptr<UpstreamSet>& Sets::set_of(dns::NameView name) const {
  const policy::Routes::Found route = routes_.find(name);
  const auto found =
      std::ranges::find_if(sets_, [&](const auto& set) { return set->terms().name == route.set; });
  return found == sets_.end() ? sets_.front() : *found;  // the loader sees that there is one
}

bool Sets::leads_like(const Sets& other, dns::NameView name) const {
  if (this == &other) return true;
  const UpstreamSet& ours = *set_of(name);
  const UpstreamSet& theirs = *other.set_of(name);
  if (ours.terms().name != theirs.terms().name) return false;
  return ours.terms().name == conf::default_set || ours.has_upstreams_of(theirs);
}

std::size_t Sets::network_changed() {
  std::size_t moved = 0;
  for (const auto& set : sets_) moved += set->network_changed();
  return moved;
}

transports::Awaitable<void> Sets::close(base::TimePoint drain_until) {
  for (const auto& set : sets_) co_await set->close(drain_until);
}

std::vector<UpstreamSet::State> Sets::states() const {
  std::vector<UpstreamSet::State> states;
  for (const auto& set : sets_) std::ranges::move(set->states(), std::back_inserter(states));
  return states;
}

bool Sets::drain(std::string_view upstream, bool drained) {
  bool found = false;
  for (const auto& set : sets_) found = set->drain(upstream, drained) || found;
  return found;
}

}  // namespace gateway::upstreams
