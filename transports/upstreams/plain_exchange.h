// One question to an upstream over UDP, and over TCP where UDP will not do: at most three
// datagrams, and one question over TCP. RFC 9520 §3.1 (tries), 0x20, RFC 7873 (cookies), RFC 6891
// §7, RFC 1035 §4.2.1 (TC). An object and no coroutine, kept for the next question: misses are
// many. Owned by its upstream.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <boost/intrusive/list.hpp>

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "conf/config.h"
#include "transports/spares.h"
#include "transports/timer_wheel.h"
#include "transports/upstreams/habits.h"
#include "transports/upstreams/link_pool.h"
#include "transports/upstreams/metrics.h"
#include "transports/upstreams/reply.h"
#include "transports/upstreams/timer.h"
#include "transports/upstreams/udp_ports.h"
#include "transports/upstreams/upstream.h"
#include "transports/upstreams/upstreams.h"
#include "transports/upstreams/way_to.h"

namespace transports {

class PlainExchange;

/// What the exchanges of one upstream share. Owned by it.
struct PlainParts {
  PlainParts(const conf::Upstream& settings, const UpstreamContext& context);
  ~PlainParts();

  /// Whether another way leads to the upstream than when this was asked last.
  bool way_changed();
  /// What waits over UDP is asked again, the way there is now.
  void ask_afresh();

  conf::Upstream upstream;
  Executor executor;
  Random& random;
  TimerWheel& timers;
  UpstreamMetrics metrics;
  EdnsHabit edns;
  CaseHabit letter_case;
  CookieHabit cookies;
  UdpPorts ports;
  LinkPool tcp;
  std::optional<Way> way;
  UnderWay under_way;
  bool closing = false;
  Spares<PlainExchange, 256> exchanges;
};

class PlainExchange final : public Exchange,
                            public Spare,
                            private UdpPorts::Expecting,
                            private TimerWheel::Entry {
 public:
  explicit PlainExchange(PlainParts& parts) : parts_(parts) {}
  ~PlainExchange() = default;

  void begin(Ask ask, base::TimePoint deadline, Asker& asker);
  /// The upstream is closing and its time is up. What is asked over TCP is ended by its links.
  void give_up();
  [[nodiscard]] bool waits_over_udp() const { return state_ == State::over_udp; }
  /// From another port, and with it from the address that is ours now; unless no try is left.
  void ask_afresh();

 private:
  /// How the next query is to be made.
  struct Plan {
    bool edns = true;
    bool mixed_case = true;
    bool cookie = true;
    bool tcp = true;           ///< not tried yet in this exchange
    unsigned datagrams = 3;    ///< left (RFC 9520 §3.1)
    unsigned new_cookies = 1;  ///< BADCOOKIE answers to be followed over UDP (RFC 7873 §5.3)
    ReplyKind doubt =
        ReplyKind::answer;  ///< what was odd before, to be learnt when the next query succeeds
  };
  using Reply = base::Result<dns::KeptAnswer, Failure>;

  void ask_over_udp(base::TimePoint now);
  void prepare(std::uint16_t id, base::TimePoint now);
  void send_datagram(base::TimePoint now);
  void on_deadline(base::TimePoint now) override;
  void take_datagram(base::Bytes datagram) override;
  void take_stray() override;
  void take_error(std::error_code error) override;
  void take_wrong_reply(base::TimePoint now);
  void leave_udp();
  void ask_again(ReplyKind why, base::TimePoint now);
  void ask_over_tcp(ReplyKind why, base::TimePoint now);
  void tcp_ended(const std::exception_ptr& thrown, Reply reply);
  /// What to change when TCP did not help.
  void plan_without_tcp(ReplyKind why);
  void learn(ReplyKind doubt, const dns::KeptAnswer& answer, base::TimePoint now);
  void fail(Reason reason, std::string_view detail);
  void finish(Reply reply, base::TimePoint now);
  void abandoned() override;
  /// The last that is done to it: it may be gone then.
  void rest();

  /// Replies that are not what they should be: beyond this somebody is guessing, and we leave.
  static constexpr unsigned wrong_replies_max = 3;

  enum class State : std::uint8_t { resting, over_udp, over_tcp };

  PlainParts& parts_;
  State state_ = State::resting;
  Ask ask_;
  base::TimePoint began_;
  base::TimePoint deadline_;
  Plan plan_;
  std::optional<UnderWay::Mark> mark_;
  // Of the way that is being tried.
  base::TimePoint limit_;
  base::Clock::duration wait_{};
  Sent sent_;
  unsigned wrong_replies_ = 0;
  std::string unreadable_;  ///< why the last malformed reply could not be read
  ReplyKind why_tcp_ = ReplyKind::other;
  boost::asio::cancellation_signal let_go_of_tcp_;
};

}  // namespace transports
