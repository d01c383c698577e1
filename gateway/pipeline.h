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
    Mailbox& mailbox;                 ///< this worker's
    QueryObserver* observer = nullptr;
  };

  Pipeline(const Parts& parts, PipelineCounters& counters) : parts_(parts), counters_(counters) {}

  base::TimePoint begin_batch() override;
  void end_batch() override;
  void expect(std::span<const transports::Query> queries) override;
  bool answer_now(const transports::Query& query, transports::Reply& reply) override;
  transports::Awaitable<transports::Answer> answer(transports::Query query) override;

 private:
  using Reply = transports::Reply;
  using Query = transports::Query;

  // The eight words. Each of those that may end the journey says whether it did.
  bool judge(const Query& query, Reply& reply);
  bool find(const Query& query, Reply& reply);
  bool find_above(const Query& query, transports::Answer& answer);
  transports::Awaitable<std::shared_ptr<const Landed>> join(
      const Query& query, HomePort home, std::optional<base::Clock::duration> patience);
  void fit(const Query& query, const dns::AnswerView& answer, dns::FitOptions options,
           Reply& reply);
  void fit_empty(const Query& query, dns::Rcode rcode, std::optional<dns::EdeNote> ede,
                 Reply& reply, dns::FitOptions options = {});
  void respond(const Query& query, Reply& reply, transports::Source source,
               std::uint32_t least_ttl);

  void serve_stale(const Query& query, const cache::Found& found, StaleReason reason, Reply& reply);
  /// How long a client waits for the flight when the cache has something to give in its place.
  std::optional<base::Clock::duration> patience_of(const Query& query) const;
  bool answer_known(const Query& query, transports::Answer& answer);
  void refresh_soon(const Query& query, const cache::Key& key);
  void begin_refreshes();
  void answer_landed(const Query& query, const Landed& landed, transports::Answer& answer);
  void complete(const Query& query, dns::FitOptions& options, dns::ServerCookie& cookie);
  [[nodiscard]] dns::ServerCookie cookie_for(const Query& query);
  [[nodiscard]] cache::Key key_of(const Query& query) const;
  [[nodiscard]] FlightKey flight_key_of(const Query& query) const;
  [[nodiscard]] const HomePort& home_of(std::uint64_t hash) const;

  Parts parts_;
  PipelineCounters& counters_;
  const Snapshot* snapshot_ = nullptr;  // inside a batch
  base::TimePoint now_{};               // the batch's
  unsigned depth_ = 0;

  // What hits of the last batches want refreshed: noted without a lock or an allocation, begun when
  // the batch's answers are on their way.
  static constexpr std::size_t refreshes_noted_most = 16;
  std::array<FlightKey, refreshes_noted_most> refreshes_;
  std::size_t refreshes_noted_ = 0;
  bool refreshes_posted_ = false;
};

}  // namespace gateway
