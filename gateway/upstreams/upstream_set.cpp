// The set: its members' health, their probes, and the budget of hedges.
#include "gateway/upstreams/upstream_set.h"

#include <algorithm>
#include <array>
#include <exception>
#include <format>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>

namespace gateway::upstreams {

/// Who could not be reached may be there where its host is found now.
UpstreamSet::Watched::Watched(UpstreamSet& of, Entrant entrant, base::MetricSheet& sheet)
    : set(of), member(std::move(entrant), sheet) {
  if (const std::shared_ptr<transports::KnownHost>& host = member.host())
    whereabouts.emplace(of.context_.executor, host, [this] { set.probe_if_unwell(*this); });
}

UpstreamSet::UpstreamSet(conf::Set terms, std::vector<Entrant> entrants, const SetContext& context)
    : terms_(std::move(terms)),
      context_(context),
      budget_(terms_.hedge),
      budget_exhausted_(context.sheet.counter("sallyport_upstream_hedge_budget_exhausted_total",
                                              {{"set", terms_.name}})) {
  for (Entrant& entrant : entrants)
    watched_.push_back(std::make_unique<Watched>(*this, std::move(entrant), context.sheet));
  probe_ask_.question.name = terms_.probe_name;
  probe_ask_.question.type = terms_.probe_name.view().is_root() ? dns::RrType::ns : dns::RrType::a;
  probe_ask_.question.klass = dns::RrClass::in;
}

void UpstreamSet::begin(const transports::Ask& ask, base::TimePoint deadline, Race::Handler handler,
                        Trace* trace) {
  races_.take().begin(shared_from_this(), ask, deadline, std::move(handler), trace);
}

transports::Awaitable<base::Result<dns::KeptAnswer>> UpstreamSet::resolve(transports::Ask ask,
                                                                          base::TimePoint deadline,
                                                                          Trace* trace) {
  co_return co_await boost::asio::async_initiate<
      const boost::asio::use_awaitable_t<transports::Executor>, void(Race::Reply)>(
      [](auto handler, UpstreamSet* set, const transports::Ask* asked, base::TimePoint until,
         Trace* traced) { set->begin(*asked, until, std::move(handler), traced); },
      transports::use_awaitable, this, &ask, deadline, trace);
}

Order UpstreamSet::choose(const dns::Question& question) {
  std::array<Candidate, conf::Set::upstreams_most> candidates;
  const std::size_t count = std::min(watched_.size(), candidates.size());
  for (std::size_t i = 0; i < count; ++i) candidates[i] = watched_[i]->member.candidate();
  const bool by_name = terms_.strategy == conf::Strategy::hash;
  const bool by_chance = !by_name && terms_.strategy != conf::Strategy::failover;
  return upstreams::choose(terms_.strategy, std::span{candidates}.first(count),
                           by_name ? hash_of(question.name) : 0,
                           by_chance ? context_.random.u64() : 0);
}

bool UpstreamSet::take_hedge() {
  if (budget_.take()) return true;
  if (terms_.hedge != 0) budget_exhausted_.add();
  return false;
}

void UpstreamSet::prove(Member& member, base::TimePoint now) {
  change_health(member, now, [&] { member.health().replied(now); });
}

void UpstreamSet::fail(Member& member, std::string why, base::TimePoint now) {
  change_health(member, now, [&] { member.health().failed(now, std::move(why)); });
}

void UpstreamSet::outrun(Member& member, std::string_view by, base::TimePoint now) {
  const std::string_view name = member.name();
  change_health(member, now, [&] {
    member.health().outrun(now, std::format("{}: no reply before {} had answered", name, by));
  });
}

/// Tells what comes of it, and probes who begins to rest.
template <class Change>
void UpstreamSet::change_health(Member& member, base::TimePoint now, Change change) {
  const Standing before = member.health().standing();
  const base::TimePoint probe_before = member.health().probe_at();
  change();
  if (before != member.health().standing() && !closing_) member.show_standing();
  if (before == Standing::resting && member.health().standing() == Standing::well)
    context_.log.info("upstream answers again", {{"upstream", member.name()}});
  if (member.health().standing() != Standing::resting) return;
  if (before != Standing::resting) {
    context_.log.warning("upstream keeps failing and is passed over for a while",
                         {{"upstream", member.name()}, {"error", member.health().last_error()}});
  }
  if (before != Standing::resting || probe_before != member.health().probe_at()) {
    member.count_rest();
    schedule_probe(watched_of(member), now);
  }
}

void UpstreamSet::suspect(Member& member, base::TimePoint now) {
  if (is_single()) return;  // there is nobody to prefer to it, so nothing to find out
  if (member.health().standing() != Standing::well) return;
  member.health().suspect(now, std::string{member.name()} + ": no reply for longer than is usual");
  if (!closing_) member.show_standing();
  probe(watched_of(member));
}

void UpstreamSet::begin_probing() {
  for (const auto& watched : watched_) schedule_probe(*watched, base::Clock::now());
}

std::size_t UpstreamSet::network_changed() {
  std::size_t moved = 0;
  for (const auto& watched : watched_) {
    if (watched->member.upstream().network_changed()) ++moved;
    probe_if_unwell(*watched);
  }
  return moved;
}

void UpstreamSet::schedule_probe(Watched& watched, base::TimePoint now) {
  if (closing_) return;
  if (watched.member.health().standing() != Standing::well) {
    watched.probe_at(watched.member.health().probe_at());
  } else if (terms_.probe_every.count() != 0) {
    watched.probe_at(now + terms_.probe_every);
  }
}

void UpstreamSet::probe_if_unwell(Watched& watched) {
  if (watched.member.health().standing() != Standing::well) probe(watched);
}

void UpstreamSet::probe(Watched& watched) {
  if (closing_ || watched.probing) return;
  watched.probing = true;
  const base::TimePoint now = base::Clock::now();
  boost::asio::co_spawn(
      context_.executor,
      watched.member.upstream().exchange(probe_ask_, now + watched.member.timeout()),
      [self = shared_from_this(), &watched, now](const std::exception_ptr& thrown,
                                                 base::Result<dns::KeptAnswer> reply) {
        if (thrown)
          reply =
              std::unexpected(base::Error{base::Blame::us, base::Retry::never, "out of resources"});
        self->probed(watched, now, std::move(reply));
      });
}

void UpstreamSet::probed(Watched& watched, base::TimePoint asked,
                         base::Result<dns::KeptAnswer> reply) {
  const base::TimePoint now = base::Clock::now();
  Member& member = watched.member;
  watched.probing = false;
  // It may refuse the probe's name and know the names that are asked: it is there.
  const bool answered = reply && reply->rcode != dns::Rcode::servfail;
  member.count_probe(answered);
  if (answered) {
    if (!member.pace().known()) member.replied(asked, now);
    change_health(member, now, [&] { member.health().answered_probe(now); });
  } else if (member.health().standing() != Standing::well || terms_.probe_every.count() != 0) {
    std::string why = reply ? std::string{member.name()} + ": SERVFAIL" : reply.error().context;
    change_health(member, now, [&] { member.health().failed_probe(now, std::move(why)); });
  }
  schedule_probe(watched, now);
}

UpstreamSet::Watched& UpstreamSet::watched_of(const Member& member) {
  return **std::ranges::find_if(watched_,
                                [&](const auto& each) { return &each->member == &member; });
}

transports::Awaitable<void> UpstreamSet::close(base::TimePoint drain_until) {
  closing_ = true;
  for (const auto& watched : watched_) {
    watched->forget();
    watched->member.hide_standing();
  }
  for (const auto& watched : watched_) co_await watched->member.upstream().close(drain_until);
}

bool UpstreamSet::drain(std::string_view upstream, bool drained) {
  const auto found = std::ranges::find_if(
      watched_, [&](const auto& each) { return each->member.name() == upstream; });
  if (found == watched_.end()) return false;
  (*found)->member.drained = drained;
  return true;
}

bool UpstreamSet::has_upstreams_of(const UpstreamSet& other) const {
  const auto name_of = [](const auto& each) { return each->member.name(); };
  return std::ranges::is_permutation(watched_, other.watched_, {}, name_of, name_of);
}

std::vector<UpstreamSet::State> UpstreamSet::states() const {
  std::vector<State> states;
  for (const auto& watched : watched_) {
    const Member& member = watched->member;
    states.push_back({terms_.name, terms_.strategy, std::string{member.name()}, member.line(),
                      member.health().standing(), member.drained, member.pace().smoothed(),
                      member.pace().p95(), member.health().last_error()});
  }
  return states;
}

}  // namespace gateway::upstreams
