// One question's way over the upstreams of a set: the first try; a second one when that is slow
// (hedged, within the budget) or suspected; the next when one fails. The first answer that can be
// believed wins, and the others are let go. RFC 9520 §3.1 bounds the tries: each upstream is asked
// once. Owned by its set, which keeps it for the next question when its last try has ended.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_completion_handler.hpp>

#include "base/clock.h"
#include "base/result.h"
#include "dns/answer.h"
#include "gateway/upstreams/choice.h"
#include "gateway/upstreams/member.h"
#include "transports/spares.h"
#include "transports/timer_wheel.h"
#include "transports/upstreams/upstream.h"

namespace gateway::upstreams {

class UpstreamSet;

/// What happened, for `explain`.
struct TriedUpstream {
  std::string name;
  std::size_t line = 0;
  Why why = Why::first;
  base::Clock::duration began{};  ///< after the question came
  base::Clock::duration took{};
  std::string outcome;  ///< "NOERROR", or what went wrong
};
/// For people: "NOERROR", "NOERROR over its fallback".
std::string outcome_of(const dns::KeptAnswer& reply);
struct Trace {
  Order order;  ///< in which they were to be asked
  std::vector<TriedUpstream> tries;
};

class Race final : public transports::Spare, private transports::TimerWheel::Entry {
 public:
  using Reply = base::Result<dns::KeptAnswer>;
  using Handler = boost::asio::any_completion_handler<void(Reply)>;

  Race();
  ~Race() = default;

  /// The handler is called once, through the loop or later, by the deadline. The set lives on for
  /// as long.
  void begin(std::shared_ptr<UpstreamSet> set, transports::Ask ask, base::TimePoint deadline,
             Handler handler, Trace* trace);

 private:
  /// Of one question: beyond this the trouble is not the upstreams'.
  static constexpr std::size_t tries_most = 6;

  struct Try final : transports::Asker {
    void replied(Reply reply) override { race->ended(*this, std::move(reply)); }

    Race* race = nullptr;
    std::uint8_t member = 0;
    Why why = Why::first;
    bool running = false;
    bool hedged = false;     // or the time for that has passed
    bool suspected = false;  // its patience is over
    bool doubted = false;    // its reply cannot be believed
    base::TimePoint began{};
    base::TimePoint ended{};
    std::string outcome;  // for a trace only
  };
  /// While somebody is at work in the race it is not given back, though all may be over.
  class AtWork {
   public:
    explicit AtWork(Race& race) : race_(race) { ++race_.at_work_; }
    ~AtWork() {
      if (--race_.at_work_ == 0 && race_.done_ && race_.running_ == 0) race_.give_back();
    }
    AtWork(const AtWork&) = delete;
    AtWork& operator=(const AtWork&) = delete;

   private:
    Race& race_;
  };

  bool launch_next(Why why, base::TimePoint now);
  [[nodiscard]] bool has_next(Standing worst) const;
  void on_deadline(base::TimePoint now) override;
  void look_at(Try& one, base::TimePoint now);
  void set_timer();

  void ended(Try& one, Reply reply);
  void take_second(Try& one, Reply reply, base::TimePoint now);
  [[nodiscard]] bool is_at_fault(const Try& one, const base::Error& error) const;
  void take_reply(Try& one, Reply reply, base::TimePoint now);
  void take_failure(Try& one, base::Error error, base::TimePoint now);
  void win(Try& one, dns::KeptAnswer answer, base::TimePoint now);
  void let_go_of_others(const Try& winner, base::TimePoint now);
  void end_without_winner();
  void complete(Reply reply);
  void write_trace();
  void give_back();

  Member& member_of(const Try& one) const;

  std::shared_ptr<UpstreamSet> set_;
  transports::Ask ask_;
  base::TimePoint began_;
  base::TimePoint deadline_;
  Handler handler_;
  Trace* trace_ = nullptr;
  Order order_;
  std::size_t next_ = 0;  // in the order
  std::array<Try, tries_most> tries_;
  std::size_t count_ = 0;
  std::size_t running_ = 0;
  unsigned at_work_ = 0;
  bool starting_ = true;  // a handler may not be called yet
  bool done_ = false;
  std::optional<dns::KeptAnswer> doubted_;  // in case nobody knows better
  base::Error last_error_;
};

}  // namespace gateway::upstreams
