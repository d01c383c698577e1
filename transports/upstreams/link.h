// One connection to an upstream that queries share, whatever is spoken over it: who waits for a
// reply, whether there is room for one more, and when it has been idle, silent or useless for too
// long. What it is made of is a derived class's. RFC 7766 §6.2.1 and §6.2.3, RFC 7858 §3.4, RFC
// 9250 §5.5. Owned by its pool and by its own coroutines; it ends when its connection does.
#pragma once

#include <boost/intrusive/list.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "dns/compose.h"
#include "transports/upstreams/known_host.h"
#include "transports/upstreams/metrics.h"
#include "transports/upstreams/random.h"
#include "transports/upstreams/reply.h"
#include "transports/upstreams/timer.h"
#include "transports/upstreams/upstreams.h"

namespace transports {

class Link;

/// What the links of one upstream have in common. Transports add what theirs need.
struct LinkTerms {
  LinkTerms(const conf::Upstream& settings, const UpstreamContext& context);

  conf::Upstream upstream;
  std::shared_ptr<KnownHost> host;  ///< null when the configuration says where it is
  Executor executor;
  Random& random;
  base::Log& log;
  UpstreamMetrics metrics;
};

/// How a pool comes by the links of its upstream.
struct LinkMaker {
  std::shared_ptr<LinkTerms> terms;
  /// Begins to dial at once; questions may be given to the link from then on.
  std::function<std::shared_ptr<Link>(UnderWay&)> dial;
};

/// What became of a message that has arrived.
enum class Taken : std::uint8_t {
  reply,       ///< who waited for it has it
  stray,       ///< the reply to something else: whoever it seemed to be for waits on
  link_ended,  ///< over it
};

/// One question on its way over a link. Lives in the asking coroutine, which sleeps on `woken` and
/// keeps the link.
class Waiting : public boost::intrusive::list_base_hook<
                    boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Waiting(Executor executor, const Ask& wanted, bool edns);
  /// The same question once more, on another link: who sleeps on the first's `woken` is woken.
  explicit Waiting(Waiting& first);
  ~Waiting();  ///< leaves the link
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  /// Writes the query as it leaves, with `sent.id`, and gives its size. What `options` says of
  /// padding and the like counts; of question and flags, what was asked.
  std::size_t compose(dns::OutgoingOptions options, base::MutableBytes out) const;
  static constexpr std::size_t query_max = 512;

  [[nodiscard]] bool done() const { return judged.has_value() || failure.has_value(); }

  const Ask& ask;
  Sent sent;
  base::TimePoint asked_at;
  base::TimePoint wanted_since;  ///< before asked_at where another link was asked first
  std::optional<Judged> judged;
  std::optional<Failure> failure;
  /// For people who look closely: a query to be sent as it is but for its id, and its reply as it
  /// came.
  base::Bytes verbatim{};
  std::vector<std::uint8_t> raw{};
  unsigned http_status = 0;  ///< over HTTP, of the response
  bool unprocessed = false;  ///< it failed by no fault of the link's, and any other may have it
  Timer woken;
  /// The link's own: which of its streams carries the question.
  std::int64_t stream = 0;

 private:
  friend class Link;
  Timer* to_wake_ = &woken;
  Link* link_ = nullptr;
  bool transmitted_ = false;
};

class Link {
 public:
  explicit Link(std::shared_ptr<LinkTerms> terms);
  virtual ~Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // ---- for the pool

  /// Has it room for one more question, as far as one can know without asking the socket?
  [[nodiscard]] bool takes_more() const;
  /// Takes what has arrived on a link that is idle: a close that has come must be known before a
  /// question is lost to it.
  void look();
  [[nodiscard]] bool dialing() const { return state_ == State::dialing; }
  [[nodiscard]] bool closed() const { return state_ == State::closed; }
  [[nodiscard]] bool retired() const { return retired_; }
  [[nodiscard]] bool idle() const { return live_ == 0; }
  [[nodiscard]] base::TimePoint dialed_at() const { return dialed_at_; }
  [[nodiscard]] base::TimePoint opened_at() const { return opened_at_; }
  [[nodiscard]] base::TimePoint closed_at() const { return closed_at_; }
  /// Nothing has been heard since then.
  [[nodiscard]] base::TimePoint quiet_since() const {
    return std::max(opened_at_, last_message_at_);
  }
  /// It was heard a moment ago, and has not left a question unanswered since.
  [[nodiscard]] bool trusted(base::TimePoint now, base::Clock::duration patience) const;
  [[nodiscard]] bool fruitful() const { return received_ > 0; }
  /// Why it failed without ever having brought a reply, once closed.
  [[nodiscard]] const std::optional<Failure>& barren() const { return barren_; }

  /// Puts the question on its way with all others of this turn. Only if takes_more().
  void send(Waiting& waiting);
  /// It was silent for longer than it ever is: no question is given to it until it is heard.
  void suspect();
  [[nodiscard]] bool suspected() const { return suspected_; }
  /// For so long there was no reply: gives the link up if nothing gets through any more.
  void doubt(const Waiting& waiting, base::Clock::duration patience);
  /// A question's time is up. A link that has been silent since it was asked is given up, too.
  void timed_out(Waiting& waiting);

  /// Takes no more questions and ends with its last one.
  void retire();
  /// Ends now; questions in flight fail with `why`.
  void close(LinkEnd end, Failure why);

  // ---- for what is spoken over it

  [[nodiscard]] LinkTerms& terms() const { return *terms_; }
  /// A whole message has come, whoever it is for.
  void heard();
  /// Judges the message, which came for `waiting` or for nobody, and wakes who waits for it. `edns`
  /// is filled in for the transport's own use.
  Taken take_reply(Waiting* waiting, base::Bytes message, ReplyEdns& edns);
  /// The same for a message that came on the question's own stream, where nobody else's may come:
  /// who waits has a reply, or a failure.
  void take_own_reply(Waiting& waiting, base::Bytes message);
  /// The question gets no reply over this link; the link lives on.
  void refuse(Waiting& waiting, Failure why);
  /// The same, and the upstream has not begun with it: any other link may have it at once.
  void give_back(Waiting& waiting, std::string_view why);
  /// The upstream wants no more questions over this link: it ends with its last one.
  void take_no_more();
  /// Never longer than the operator wants.
  void set_idle_timeout(std::chrono::milliseconds timeout);
  [[nodiscard]] Failure fail(Reason reason, std::string_view detail) const {
    return make_failure(reason, terms_->upstream.url, detail);
  }
  /// The link ends since nothing is heard any more: another may do better.
  [[nodiscard]] Failure silence(std::string_view detail) const {
    Failure failure = fail(Reason::closed, detail);
    failure.error.broken = false;
    return failure;
  }

 protected:
  // ---- what the transport does

  [[nodiscard]] virtual bool room() const = 0;
  /// Only while open, or as early data. May call refuse() and give_back(), not close().
  virtual void transmit(Waiting& waiting) = 0;
  /// Nobody waits for it any more.
  virtual void forget(Waiting& waiting) = 0;
  virtual void take_arrived() = 0;
  /// Something is on its way, and the peer has confirmed nothing since then.
  [[nodiscard]] virtual bool unacknowledged(base::TimePoint since) = 0;
  /// Gives the connection back and wakes the link's own coroutines. Called once.
  virtual void disconnect() = 0;

  // ---- what it tells of itself

  /// Questions may go out with the connection's first packets, as far as there is room.
  void opened_early();
  /// What went out so has to go out again.
  void early_rejected();
  /// The connection stands: sends what has waited for it.
  void opened(bool resumed);
  void dial_failed(Failure failure);
  [[nodiscard]] bool is_open() const { return state_ == State::open; }
  /// When the link wants to be looked at although nothing has come.
  [[nodiscard]] base::TimePoint next_look() const;
  /// Closes a link that has had no work for too long.
  void close_if_idle();

 private:
  friend class Waiting;
  enum class State : std::uint8_t { dialing, open, closed };

  [[nodiscard]] bool speaks() const { return is_open() || early_; }
  void hand_out(Waiting& waiting);
  void part(Waiting& waiting);
  void finish(Waiting& waiting);
  void leave(Waiting& waiting);
  void after_departure();
  [[nodiscard]] bool silent_since(base::TimePoint when, base::Clock::duration patience) const;

  /// For so long a link that was heard is taken to be there still: no NAT forgets as soon.
  static constexpr std::chrono::seconds trusted_for{5};

  /// Replies to nothing that we asked: beyond this the peer has lost its mind.
  static constexpr unsigned strays_max = 16;

  std::shared_ptr<LinkTerms> terms_;
  using Places = boost::intrusive::list<Waiting, boost::intrusive::constant_time_size<false>>;
  Places::iterator place_of(const Waiting& waiting);

  State state_ = State::dialing;
  bool early_ = false;  // questions go out although it is being dialled
  bool retired_ = false;
  bool suspected_ = false;
  base::TimePoint dialed_at_;
  base::TimePoint idle_since_;
  base::TimePoint opened_at_{};
  base::TimePoint last_message_at_{};
  /// The first question since anything was heard, answered or not; none: the clock's beginning.
  base::TimePoint owes_since_{};
  base::TimePoint closed_at_{};
  std::chrono::milliseconds idle_timeout_;
  std::uint64_t received_ = 0;
  unsigned strays_ = 0;
  /// Who waits for a reply, or for the connection.
  Places waiting_;
  std::size_t live_ = 0;  // how many they are
  std::optional<Failure> barren_;
};

}  // namespace transports
