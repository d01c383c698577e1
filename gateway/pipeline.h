// The life of a query: judge, find, join, exchange, match, store, fit, respond. One per worker;
// what is shared between workers it refers to. Owned by its Worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/clock.h"
#include "base/epoch.h"
#include "cache/answer_cache.h"
#include "dns/cookie.h"
#include "dns/fit.h"
#include "gateway/flights.h"
#include "gateway/home.h"
#include "gateway/mailbox.h"
#include "gateway/observer.h"
#include "gateway/pipeline_counters.h"
#include "gateway/snapshot.h"
#include "transports/answerer.h"
#include "transports/spares.h"
#include "transports/timer_wheel.h"

namespace gateway {

/// Where flights are run: a worker's home and the way to hand it work.
struct HomePort {
  Home* home = nullptr;
  Mailbox* mailbox = nullptr;
};

class Pipeline final : public transports::Answerer {
 public:
  struct Parts {
    Snapshots& snapshots;
    cache::AnswerCache& cache;
    Flights& flights;
    base::EpochReader& epoch;
    const dns::ServerCookies& cookies;
    std::span<const HomePort> homes;  ///< every worker's, in order
    HomePort here;                    ///< this worker's
    QueryObserver* observer = nullptr;
  };

  Pipeline(const Parts& parts, PipelineCounters& counters) : parts_(parts), counters_(counters) {}

  base::TimePoint begin_batch() override;
  void end_batch() override;
  void expect(std::span<const transports::Query> queries) override;
  bool answer_now(const transports::Query& query, transports::Reply& reply) override;
  void answer(const transports::Query& query, transports::PromisedAnswer promise) override;

 private:
  using Reply = transports::Reply;
  using Query = transports::Query;

  /// A query on the long way: until its flight lands, or its patience is over (RFC 8767 §5) and the
  /// cache has something to give. Kept for the next.
  class Waiting final : public transports::Spare,
                        public Passenger,
                        private transports::TimerWheel::Entry {
   public:
    explicit Waiting(Pipeline& pipeline)
        : Passenger(*pipeline.parts_.here.mailbox), pipeline_(pipeline) {}
    ~Waiting() = default;

    void begin(const Query& asked, transports::PromisedAnswer answer);
    void be_patient_until(base::TimePoint end) { timers().set(*this, end); }
    void end();

    Query query;
    std::optional<transports::PromisedAnswer> promise;

   private:
    void landed(const Landed& landed) override { pipeline_.landed(*this, landed); }
    void on_deadline(base::TimePoint /*now*/) override { pipeline_.lose_patience(*this); }
    transports::TimerWheel& timers() { return pipeline_.parts_.here.home->timers(); }

    Pipeline& pipeline_;
  };

  /// What find() has seen of a query that it did not answer and that is asked next, if at all.
  struct Missed {
    const Query* query = nullptr;
    std::uint64_t hash = 0;
    bool known = true;  ///< something is there, if stale
  };

  // The eight words. Each of those that may end the journey says whether it did.
  bool judge(const Query& query, Reply& reply);
  bool find(const Query& query, Reply& reply);
  bool find_above(const Query& query, const cache::Key& key, Reply& reply);
  void join(Waiting& waiting, const Missed& missed);
  void fit(const Query& query, const dns::AnswerView& answer, dns::FitOptions options,
           Reply& reply);
  void fit_empty(const Query& query, dns::Rcode rcode, std::optional<dns::EdeNote> ede,
                 Reply& reply, dns::FitOptions options = {});
  void respond(const Query& query, Reply& reply, transports::Source source,
               std::uint32_t least_ttl);

  void serve_stale(const Query& query, const cache::Found& found, StaleReason reason, Reply& reply);
  bool serve_known_if_late(const Query& query, const cache::Found& found, Reply& reply);
  void lose_patience(Waiting& waiting);
  void landed(Waiting& waiting, const Landed& landed);
  template <class Write>
  void keep_promise(Waiting& waiting, const dns::AnswerView& view, Write write);
  [[nodiscard]] bool may_lose_patience(const Query& query) const;
  void refresh_soon(const Query& query, const cache::Key& key);
  void begin_refreshes();
  [[nodiscard]] Missed missed(const Query& query);
  void complete(const Query& query, dns::FitOptions& options, dns::ServerCookie& cookie);
  [[nodiscard]] dns::ServerCookie cookie_for(const Query& query);
  [[nodiscard]] cache::Key key_of(const Query& query) const;
  [[nodiscard]] static FlightKey flight_key_of(const Query& query, std::uint64_t hash);
  void launch(Flight& flight);

  Parts parts_;
  PipelineCounters& counters_;
  Missed missed_;
  const Snapshot* snapshot_ = nullptr;  // inside a batch
  base::TimePoint now_{};               // the batch's
  unsigned depth_ = 0;
  transports::Spares<Waiting, 256> waiting_;

  // What hits of the last batches want refreshed: noted without a lock or an allocation, begun when
  // the batch's answers are on their way.
  static constexpr std::size_t refreshes_noted_most = 16;
  std::array<FlightKey, refreshes_noted_most> refreshes_;
  std::size_t refreshes_noted_ = 0;
  bool refreshes_posted_ = false;
};

}  // namespace gateway
