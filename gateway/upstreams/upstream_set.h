// Upstreams that are asked for the same names: chosen by a strategy, hedged within a budget, probed
// when they are doubted. To add a strategy: its row in conf, its rank in choice.cpp. Owned by its
// home worker through shared_ptr, since races and probes outlive a reload; every call on that
// worker's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/result.h"
#include "conf/config.h"
#include "dns/answer.h"
#include "gateway/upstreams/choice.h"
#include "gateway/upstreams/member.h"
#include "gateway/upstreams/race.h"
#include "transports/awaitable.h"
#include "transports/timer_wheel.h"
#include "transports/upstreams/hedge_budget.h"
#include "transports/upstreams/known_host.h"
#include "transports/upstreams/random.h"
#include "transports/upstreams/upstream.h"

namespace gateway::upstreams {

/// What sets use of their worker. Outlives them, as does everything in it.
struct SetContext {
  transports::Executor executor;
  transports::TimerWheel& timers;  ///< of `tick`
  transports::Random& random;
  base::MetricSheet& sheet;
  base::Log& log;

  /// How exactly hedges keep their time: a fifth of the least wait for one.
  static constexpr std::chrono::milliseconds tick{2};
};

class UpstreamSet final : public std::enable_shared_from_this<UpstreamSet> {
 public:
  struct State {
    std::string set;
    conf::Strategy strategy = conf::Strategy::failover;
    std::string name;
    std::size_t line = 0;
    Standing standing = Standing::well;
    bool drained = false;
    transports::Pace::Duration smoothed{0};
    transports::Pace::Duration p95{0};
    std::string last_error;
  };

  UpstreamSet(conf::Set terms, std::vector<Entrant> entrants, const SetContext& context);
  ~UpstreamSet() = default;
  UpstreamSet(const UpstreamSet&) = delete;
  UpstreamSet& operator=(const UpstreamSet&) = delete;

  /// The first answer that can be believed: NOERROR, NXDOMAIN, or a failure that is the name's; any
  /// other rcode is kept in case no upstream knows better. An error when none replied at all. Ends
  /// by the deadline. `trace` outlives the call.
  void begin(const transports::Ask& ask, base::TimePoint deadline, Race::Handler handler,
             Trace* trace = nullptr);
  /// The same for a coroutine.
  transports::Awaitable<base::Result<dns::KeptAnswer>> resolve(transports::Ask ask,
                                                               base::TimePoint deadline,
                                                               Trace* trace = nullptr);

  transports::Awaitable<void> close(base::TimePoint drain_until);

  /// Addresses or routes of this machine have changed. Who is not well is probed at once. Gives to
  /// how many upstreams another way leads now.
  std::size_t network_changed();

  /// Probes from now on as often as the configuration says.
  void begin_probing();

  [[nodiscard]] const conf::Set& terms() const { return terms_; }
  [[nodiscard]] std::size_t size() const { return watched_.size(); }
  /// What is asked to see whether an upstream answers.
  [[nodiscard]] const transports::Ask& probe() const { return probe_ask_; }
  [[nodiscard]] std::vector<State> states() const;
  /// By their names, in any order.
  [[nodiscard]] bool has_upstreams_of(const UpstreamSet& other) const;
  /// False when there is no such upstream.
  bool drain(std::string_view upstream, bool drained);

  // For races.

  [[nodiscard]] Order choose(const dns::Question& question);
  [[nodiscard]] bool is_single() const { return watched_.size() == 1; }
  [[nodiscard]] bool asks_two() const { return terms_.strategy == conf::Strategy::race2; }
  [[nodiscard]] Member& member(std::size_t index) { return watched_[index]->member; }
  [[nodiscard]] transports::HedgeBudget& budget() { return budget_; }
  /// True when the budget has a hedge left, which is then spent.
  bool take_hedge();
  [[nodiscard]] const transports::Executor& executor() const { return context_.executor; }
  [[nodiscard]] transports::TimerWheel& timers() const { return context_.timers; }
  /// See Health.
  void prove(Member& member, base::TimePoint now);
  void fail(Member& member, std::string why, base::TimePoint now);
  void outrun(Member& member, std::string_view by, base::TimePoint now);
  void suspect(Member& member, base::TimePoint now);
  void give_back(Race& race) { races_.give_back(race); }

 private:
  /// A member and the time of its next probe.
  struct Watched final : private transports::TimerWheel::Entry {
    Watched(UpstreamSet& of, Entrant entrant, base::MetricSheet& sheet);
    void probe_at(base::TimePoint when) { set.context_.timers.set(*this, when); }
    void forget() { set.context_.timers.clear(*this); }
    void on_deadline(base::TimePoint /*now*/) override { set.probe(*this); }

    UpstreamSet& set;
    Member member;
    bool probing = false;
    std::optional<transports::HostListener> whereabouts;
  };

  template <class Change>
  void change_health(Member& member, base::TimePoint now, Change change);
  void probe_if_unwell(Watched& watched);
  void probe(Watched& watched);
  void probed(Watched& watched, base::TimePoint asked, base::Result<dns::KeptAnswer> reply);
  void schedule_probe(Watched& watched, base::TimePoint now);
  Watched& watched_of(const Member& member);

  conf::Set terms_;
  SetContext context_;
  std::vector<std::unique_ptr<Watched>> watched_;
  transports::HedgeBudget budget_;
  base::Counter& budget_exhausted_;
  transports::Ask probe_ask_;
  transports::Spares<Race, 256> races_;
  bool closing_ = false;
};

}  // namespace gateway::upstreams
