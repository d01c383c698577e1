// The links of one upstream: dialled when needed, shared by all queries, never given out dead. One
// that is silent for longer than it ever is costs its question a fresh link's time and no more. RFC
// 7766 §6.2.1-6.2.2, RFC 7858 §3.4, RFC 9113 §8.7 (what the peer has not processed is asked again).
// Owned by its upstream.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "transports/upstreams/habits.h"
#include "transports/upstreams/hedge_budget.h"
#include "transports/upstreams/line.h"
#include "transports/upstreams/link.h"
#include "transports/upstreams/metrics.h"
#include "transports/upstreams/pace.h"
#include "transports/upstreams/timer.h"
#include "transports/upstreams/upstreams.h"
#include "transports/upstreams/way_to.h"

namespace transports {

class LinkPool {
 public:
  /// `edns` is what is known of the upstream, and learnt here.
  LinkPool(LinkMaker maker, EdnsHabit& edns);
  ~LinkPool();
  LinkPool(const LinkPool&) = delete;
  LinkPool& operator=(const LinkPool&) = delete;

  /// Asks over a link, and once more over a fresh one when that link proves dead, or beside it when
  /// it falls silent. Ends at `limit` at the latest.
  Awaitable<base::Result<dns::KeptAnswer, Failure>> exchange(const Ask& ask, base::TimePoint limit);

  [[nodiscard]] bool is_connected() const;
  /// Addresses or routes of this machine have changed. When that concerns the way to the upstream,
  /// all links end, and who waits on them is asked again over others; true then.
  bool network_changed();

  /// Gives out no link from now on; those in use end with their last query, at `drain_until` at the
  /// latest.
  Awaitable<void> close(base::TimePoint drain_until);

 private:
  using Picked = base::Result<std::shared_ptr<Link>, Failure>;

  /// A link with room that was dialled after `youngest`, or a new one.
  Picked pick(base::TimePoint dialed_after);
  /// The same; waits for room when all links are full.
  Awaitable<Picked> pick_in_turn(base::TimePoint dialed_after, base::TimePoint limit);
  Picked dial();
  [[nodiscard]] bool may_dial() const;
  [[nodiscard]] std::vector<std::optional<Way>> ways_now() const;
  void sweep();
  void note_fruitful();
  void note_barren(const Link& link);
  /// A question on its link, and on a fresh one beside it once the first is suspected.
  struct Asked;
  /// Until one of the two has brought something, or neither may any more.
  Awaitable<void> wait(Asked& asked, base::TimePoint limit);
  /// Gives the question to a fresh link, too, when its own has been silent for too long.
  void look_after(Asked& asked, base::TimePoint now);
  void ask_beside(Asked& asked);
  [[nodiscard]] base::TimePoint suspicious_at(const Asked& asked) const;
  void give_up_silent(const Asked& asked);
  [[nodiscard]] base::Clock::duration most_patience() const { return terms_->upstream.timeout / 2; }
  [[nodiscard]] base::Clock::duration confirmed_within() const;
  void answered_within(base::Clock::duration time);
  [[nodiscard]] std::uint64_t host_version() const {
    return terms_->host ? terms_->host->version() : 0;
  }
  [[nodiscard]] Failure nothing_came() const;
  [[nodiscard]] Failure fail(Reason reason, std::string_view detail) const {
    return make_failure(reason, terms_->upstream.url, detail);
  }

  /// Questions given back unprocessed, in one exchange: beyond this the upstream only plays. Those
  /// that take a few questions over each connection give the others of a burst back many times.
  static constexpr unsigned returns_max = 64;
  /// Of questions, in per cent, that may be asked beside a link which is merely not trusted.
  static constexpr std::uint32_t beside_most = 5;
  static constexpr std::chrono::milliseconds short_patience_least{50};
  /// Connecting and shaking hands takes so many exchanges.
  static constexpr int dial_factor = 3;

  LinkMaker maker_;
  std::shared_ptr<LinkTerms> terms_;
  EdnsHabit& edns_;
  std::vector<std::shared_ptr<Link>> links_;
  std::vector<std::optional<Way>> ways_;  // to the upstream, when the oldest link was dialled
  UnderWay under_way_;
  Line line_;
  base::Clock::duration quickest_{0};  // of the recent answers; 0: none yet
  Pace pace_;
  HedgeBudget beside_{beside_most};
  bool closing_ = false;
  unsigned barren_in_a_row_ = 0;
  base::TimePoint no_dial_before_{};
  Failure last_failure_;
  std::uint64_t failed_version_ = 0;  // of the host's addresses, at that failure
};

}  // namespace transports
