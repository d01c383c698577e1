// One upstream of a set with what is known of it: its pace, its health, what is counted. Owned by
// its set; that set's thread alone touches it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/counters.h"
#include "conf/config.h"
#include "gateway/upstreams/choice.h"
#include "gateway/upstreams/health.h"
#include "transports/upstreams/known_host.h"
#include "transports/upstreams/pace.h"
#include "transports/upstreams/upstream.h"

namespace gateway::upstreams {

/// Why a try was sent.
enum class Why : std::uint8_t {
  first,    ///< as the strategy wants
  race,     ///< beside the first, by strategy
  hedge,    ///< the one before was slower than it usually is
  silence,  ///< the one before was suspected
  failure   ///< the one before failed, or its reply cannot be believed
};

constexpr std::string_view to_text(Why why) {
  switch (why) {
    case Why::first: return "first";
    case Why::race: return "race";
    case Why::hedge: return "hedge";
    case Why::silence: return "silence";
    case Why::failure: return "failure";
  }
  return {};
}

/// An upstream as the set gets it.
struct Entrant {
  std::unique_ptr<transports::Upstream> upstream;
  std::chrono::milliseconds timeout = conf::Upstream::timeout_bounds.usual;
  std::uint32_t weight = 1;
  std::size_t line = 0;  ///< in the configuration
  /// Null when it is not looked up where the upstream is.
  std::shared_ptr<transports::KnownHost> host = nullptr;
};

class Member {
 public:
  /// Less is the noise of a busy machine, and no reason to ask twice.
  static constexpr std::chrono::milliseconds hedge_least{10};
  static constexpr std::chrono::milliseconds hedge_unknown{200};  ///< without a pace to go by

  Member(Entrant entrant, base::MetricSheet& sheet);
  ~Member() { hide_standing(); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  [[nodiscard]] transports::Upstream& upstream() const { return *entrant_.upstream; }
  [[nodiscard]] std::string_view name() const { return entrant_.upstream->name(); }
  [[nodiscard]] std::chrono::milliseconds timeout() const { return entrant_.timeout; }
  [[nodiscard]] std::size_t line() const { return entrant_.line; }
  [[nodiscard]] const std::shared_ptr<transports::KnownHost>& host() const { return entrant_.host; }
  [[nodiscard]] const Health& health() const { return health_; }
  [[nodiscard]] const transports::Pace& pace() const { return pace_; }
  [[nodiscard]] Candidate candidate() const;

  /// How long a try goes on alone, and how long until the upstream is suspected.
  [[nodiscard]] base::Clock::duration hedge_after() const;
  [[nodiscard]] base::Clock::duration patience() const {
    return pace_.patience(entrant_.timeout / 2);
  }

  /// A matching reply, whatever it says, to a query that was sent at `asked`.
  void replied(base::TimePoint asked, base::TimePoint now);
  [[nodiscard]] Health& health() { return health_; }
  /// A query sent at `asked` will not be waited for any more.
  void given_up(base::TimePoint asked, base::TimePoint now);
  [[nodiscard]] bool silent_since(base::TimePoint when) const { return heard_at_ < when; }

  void count_try(Why why);
  void count_won_hedge() { hedges_won_.add(); }
  void count_probe(bool answered) { (answered ? probes_answered_ : probes_failed_).add(); }
  void count_rest() { rests_.add(); }
  /// For metrics, as it is by now; and no more, for its set ends.
  void show_standing();
  void hide_standing();

  bool drained = false;  ///< an operator wants it to have no new queries

 private:
  Entrant entrant_;
  std::uint64_t identity_;
  transports::Pace pace_;
  Health health_;
  base::TimePoint heard_at_{};
  base::Counter& hedges_;
  base::Counter& hedges_won_;
  base::Counter& failovers_;
  base::Counter& probes_answered_;
  base::Counter& probes_failed_;
  base::Counter& rests_;
  std::array<base::Gauge*, 3> standings_{};
  base::Gauge* shown_ = nullptr;  // of these
};

}  // namespace gateway::upstreams
