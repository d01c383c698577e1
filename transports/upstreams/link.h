// One connection that many queries share: pipelined, answered in any order, matched by id and
// question. RFC 7766 §6.2.1 and §7, RFC 7858 §3.3, RFC 7828 §3.4 (idle timeout), RFC 8467 §4.1
// (padding). Owned by its pool and by its own two coroutines; it ends when its connection does.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "transports/framing.h"
#include "transports/upstreams/connection.h"
#include "transports/upstreams/metrics.h"
#include "transports/upstreams/random.h"
#include "transports/upstreams/reply.h"
#include "transports/upstreams/timer.h"
#include "transports/upstreams/upstream.h"

namespace transports {

class Link;

/// What the links of one upstream have in common.
struct LinkTerms {
  conf::Upstream upstream;
  Executor executor;
  Random& random;
  ReceiveBuffer& receive_buffer;
  base::Log& log;
  UpstreamMetrics metrics;
  std::shared_ptr<certs::ClientContext> tls;  ///< empty for TCP
  /// What a read gave, until it is cut into messages.
  using Octets = std::array<std::uint8_t, 16384>;
  std::unique_ptr<Octets> octets;
};

/// One question on its way over a link. Lives in the asking coroutine, which sleeps on `woken` and
/// keeps the link.
class Waiting {
 public:
  Waiting(Executor executor, const Ask& wanted, bool edns);
  ~Waiting();  ///< leaves the link
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  [[nodiscard]] bool done() const { return judged.has_value() || failure.has_value(); }

  const Ask& ask;
  Sent sent;
  base::TimePoint asked_at;
  std::optional<Judged> judged;
  std::optional<Failure> failure;
  Timer woken;

 private:
  friend class Link;
  Link* link_ = nullptr;
};

class Link {
 public:
  /// Begins to dial at once; questions may be given to it from now on.
  static std::shared_ptr<Link> dial(std::shared_ptr<LinkTerms> terms, UnderWay& under_way);
  explicit Link(std::shared_ptr<LinkTerms> terms);

  /// Has it room for one more question, as far as one can know without asking the socket?
  [[nodiscard]] bool takes_more() const;
  /// Takes what has arrived on a link that is idle: a close that has come must be known before a
  /// question is lost to it.
  void look();
  [[nodiscard]] bool dialing() const { return state_ == State::dialing; }
  [[nodiscard]] bool closed() const { return state_ == State::closed; }
  [[nodiscard]] bool idle() const { return live_ == 0; }
  [[nodiscard]] base::TimePoint dialed_at() const { return dialed_at_; }
  [[nodiscard]] base::TimePoint closed_at() const { return closed_at_; }
  [[nodiscard]] bool fruitful() const { return received_ > 0; }
  /// Why it failed without ever having brought a reply, once closed.
  [[nodiscard]] const std::optional<Failure>& barren() const { return barren_; }

  /// Gives the question an id that is not in flight and sends it with all others of this turn. Only
  /// if takes_more().
  void send(Waiting& waiting);
  /// Half of a question's time has passed without a reply: gives the link up if nothing gets
  /// through any more.
  void doubt(const Waiting& waiting);
  /// A question's time is up. A link that has been silent since it was asked is given up, too.
  void timed_out(Waiting& waiting);

  /// Takes no more questions and ends with its last one.
  void retire();
  /// Ends now; questions in flight fail with `why`.
  void close(LinkEnd end, Failure why);

 private:
  friend class Waiting;
  enum class State : std::uint8_t { dialing, open, closed };

  static Awaitable<void> run(std::shared_ptr<Link> self, UnderWay::Mark mark);
  static Awaitable<void> write_all(std::shared_ptr<Link> self, UnderWay::Mark mark);
  Awaitable<void> read_all();

  void take_octets();
  bool take_message(base::Bytes message);
  void finish(Waiting& waiting);
  void leave(Waiting& waiting);
  void flush();
  [[nodiscard]] base::Bytes next_to_write() const;
  void wake_writer();
  void after_departure();
  [[nodiscard]] base::TimePoint next_look() const;
  void note_keepalive(const ReplyEdns& edns);
  std::uint16_t free_id();
  [[nodiscard]] bool silent_since(base::TimePoint when) const;
  [[nodiscard]] Failure fail(Reason reason, std::string_view detail) const {
    return make_failure(reason, terms_->upstream.url, detail);
  }

  /// Replies to nothing that we asked: beyond this the peer has lost its mind.
  static constexpr unsigned strays_max = 16;
  /// Questions that the socket does not take: beyond this no more are given to it.
  static constexpr std::size_t outbox_max = 64 * 1024;

  std::shared_ptr<LinkTerms> terms_;
  Connection connection_;
  State state_ = State::dialing;
  bool retired_ = false;
  bool writer_asleep_ = false;
  bool write_blocked_ = false;  // the socket is full
  base::TimePoint dialed_at_;
  base::TimePoint idle_since_;
  base::TimePoint opened_at_{};
  base::TimePoint last_message_at_{};
  base::TimePoint closed_at_{};
  std::chrono::milliseconds idle_timeout_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  unsigned strays_ = 0;
  std::size_t live_ = 0;  // questions in flight that somebody waits for
  /// In flight by id. Nobody waits any more behind nullptr: the id stays taken until its late reply
  /// or the link's end.
  boost::unordered_flat_map<std::uint16_t, Waiting*> in_flight_;
  std::vector<std::uint8_t> outbox_;
  std::size_t outbox_sent_ = 0;
  FrameReader frames_;
  Timer writer_timer_;
  std::optional<Failure> barren_;
};

}  // namespace transports
