// The worker that keeps the links to the upstreams: it runs the flights. One worker at first, since
// links spread thin idle out; every worker when all upstreams are plain UDP and there is no link to
// keep. Owned by its worker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "base/clock.h"
#include "base/epoch.h"
#include "base/log.h"
#include "cache/answer_cache.h"
#include "gateway/admin/inspection.h"
#include "gateway/flights.h"
#include "gateway/snapshot.h"
#include "gateway/upstreams/sets.h"
#include "transports/timer_wheel.h"

namespace gateway {

/// Every call on the worker's thread.
class Home {
 public:
  struct Parts {
    boost::asio::io_context& context;
    Flights& flights;
    cache::AnswerCache& cache;
    Snapshots& snapshots;
    base::EpochReader& epoch;
    base::Log& log;
  };

  explicit Home(const Parts& parts) : parts_(parts) {}
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  /// Takes new sets; gives the old ones, which the caller closes: exchanges under way end on them.
  std::shared_ptr<upstreams::Sets> replace(std::shared_ptr<upstreams::Sets> next);
  [[nodiscard]] const std::shared_ptr<upstreams::Sets>& upstreams() const { return upstreams_; }
  /// For the sets: hedges and probes are due by it.
  [[nodiscard]] transports::TimerWheel& timers() { return timers_; }

  /// Exchange, match, store; then the flight is landed, whatever happens.
  void fly(Flight& flight);
  /// The same for one that comes from another worker: while it was on its way here, another flight
  /// for the question may have landed. A refresh knows that there is an answer.
  void fly_unless_known(Flight& flight);

  /// The life of a query, told; see Explainer.
  void explain(const admin::ExplainOrder& order,
               std::move_only_function<void(admin::Explanation)> told);

 private:
  /// A flight without a coroutine: what Flying knows is all that waits for the reply.
  struct Flying {
    void operator()(upstreams::Race::Reply reply) const;

    Home* home;
    Flight* flight;
    std::shared_ptr<upstreams::Sets> asked;
  };

  /// What a flight gave, or null while it is in the air.
  using Outcome = std::shared_ptr<const Landed>;
  template <class Work>
  void land_when_over(Flight& flight, Work work);
  Outcome exchange(Flight& flight);
  Outcome replied(const Flying& flying, upstreams::Race::Reply reply);
  Outcome found_meanwhile(const FlightKey& key);
  conf::Cache cache_limits();
  /// `asked`: where the reply comes from. One that a reload has led elsewhere is answered, and not
  /// kept.
  Outcome store(const FlightKey& key, const upstreams::Sets& asked,
                base::Result<dns::KeptAnswer> reply);
  cache::History history_with(const cache::Key& key, const dns::AnswerView& next,
                              base::Seconds32 now);

  Parts parts_;
  transports::TimerWheel timers_{parts_.context, upstreams::SetContext::tick};
  std::shared_ptr<upstreams::Sets> upstreams_;
};

}  // namespace gateway
