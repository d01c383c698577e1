// An upstream over UDP, and over TCP where UDP will not do. RFC 5452 (a fresh random port and id
// for every query), 0x20, RFC 7873 (cookies), RFC 6891 §7, RFC 9520 §3.1 (three tries), RFC 1035
// §4.2.1 (TC). Owned by its upstream set.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <string_view>

#include "conf/config.h"
#include "transports/upstreams/habits.h"
#include "transports/upstreams/link_pool.h"
#include "transports/upstreams/metrics.h"
#include "transports/upstreams/reply.h"
#include "transports/upstreams/timer.h"
#include "transports/upstreams/udp_socket.h"
#include "transports/upstreams/upstream.h"
#include "transports/upstreams/upstreams.h"

namespace transports {

class PlainUpstream final : public Upstream {
 public:
  PlainUpstream(const conf::Upstream& upstream, const UpstreamContext& context);

  Awaitable<base::Result<dns::KeptAnswer>> exchange(Ask ask, base::TimePoint deadline) override;
  [[nodiscard]] std::string_view name() const override { return upstream_.url; }
  Awaitable<void> close(base::TimePoint drain_until) override;

 private:
  /// How the next query of an exchange is to be made.
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
  enum class Next : std::uint8_t { answered, failed, over_tcp, again };
  struct Outcome {
    Next next = Next::failed;
    ReplyKind why = ReplyKind::other;
    dns::KeptAnswer answer;
    Failure failure;
  };
  /// One query on its own socket, known to close() as long as it lives.
  struct Flight : boost::intrusive::list_base_hook<
                      boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    Flight(UdpSocket opened, const Ask& wanted) : socket(std::move(opened)), ask(wanted) {}

    UdpSocket socket;
    const Ask& ask;
    Sent sent;
    unsigned wrong_replies = 0;
    std::string unreadable;  ///< why the last malformed reply could not be read
  };

  Awaitable<base::Result<dns::KeptAnswer, Failure>> ask(const Ask& ask, base::TimePoint deadline);
  Awaitable<Outcome> ask_over_udp(const Ask& ask, Plan& plan, base::TimePoint limit);
  void prepare(Flight& flight, const Plan& plan);
  std::size_t compose(const Flight& flight, base::MutableBytes out) const;
  /// Reads what has come; true when the wait is over and `outcome` says how.
  bool take_replies(Flight& flight, const Plan& plan, Outcome& outcome);
  bool take_reply(Judged judged, Flight& flight, const Plan& plan, Outcome& outcome);
  Outcome silence(const Flight& flight) const;
  Outcome network_failure(std::error_code error) const;
  /// What to change when TCP did not help.
  static void plan_without_tcp(ReplyKind why, Plan& plan);
  void learn(ReplyKind doubt, const dns::KeptAnswer& answer);
  [[nodiscard]] Outcome failed(Reason reason, std::string_view detail) const {
    return {Next::failed, ReplyKind::other, {}, make_failure(reason, upstream_.url, detail)};
  }

  /// Replies on one socket that are not what they should be: beyond this somebody is guessing, and
  /// we leave.
  static constexpr unsigned wrong_replies_max = 3;
  /// Above what we ask for (1232), for upstreams that do not care; a longer one is cut, and then
  /// not readable.
  static constexpr std::size_t datagram_max = 4096;

  conf::Upstream upstream_;
  Executor executor_;
  Random& random_;
  UpstreamMetrics metrics_;
  EdnsHabit edns_;
  CaseHabit case_;
  CookieHabit cookies_;
  LinkPool tcp_;
  UnderWay under_way_;
  boost::intrusive::list<Flight, boost::intrusive::constant_time_size<false>> flights_;
  bool closing_ = false;
  bool abandoning_ = false;  // time is up for those under way, too
  std::array<std::uint8_t, datagram_max> datagram_{};
};

}  // namespace transports
