// One upstream recursive resolver over one transport. RFC 9499: "upstream" is who we ask; a "link"
// is one connection.
#pragma once

#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "dns/answer.h"
#include "dns/request.h"
#include "transports/awaitable.h"

namespace transports {

/// What we want to know; everything else of the outgoing query is ours.
struct Ask {
  dns::Question question;
  bool dnssec_ok = false;
  bool checking_disabled = false;
};

class Exchange;

/// Who waits for a reply without a coroutine of its own. Lets go of it when it ends.
class Asker {
 public:
  Asker() = default;
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  /// Once, perhaps before begin() has returned; never after let_go().
  virtual void replied(base::Result<dns::KeptAnswer> reply) = 0;
  /// Wants no reply any more.
  void let_go();

 protected:
  ~Asker() { let_go(); }

 private:
  friend class Exchange;
  Exchange* exchange_ = nullptr;
};

/// A question that is under way for somebody.
class Exchange {
 public:
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

 protected:
  Exchange() = default;
  ~Exchange() { detach(); }

  void attach(Asker& asker) {
    asker_ = &asker;
    asker.exchange_ = this;
  }
  [[nodiscard]] bool is_awaited() const { return asker_ != nullptr; }
  /// Nobody is told anything from now on but by who has this; null when nobody waits.
  Asker* detach() {
    if (asker_ != nullptr) asker_->exchange_ = nullptr;
    return std::exchange(asker_, nullptr);
  }
  /// Nobody waits any more.
  virtual void abandoned() = 0;

 private:
  friend class Asker;
  Asker* asker_ = nullptr;
};

inline void Asker::let_go() {
  if (Exchange* const exchange = exchange_) {
    exchange->detach();
    exchange->abandoned();
  }
}

/// Owned by its home worker's upstream set; all calls on that worker's thread.
class Upstream {
 public:
  virtual ~Upstream() = default;
  Upstream() = default;
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  /// A reply that matches the question, made fit to keep; or an Error that says whose fault and
  /// what to try. Whatever the upstream does, it ends no later than `deadline`. Any rcode is a
  /// reply; the set decides which it believes.
  virtual Awaitable<base::Result<dns::KeptAnswer>> exchange(Ask ask, base::TimePoint deadline) = 0;
  /// The same for who is no coroutine; `asker` may let go of it. Where nothing else is said, a
  /// coroutine on `executor` does it.
  virtual void begin(Ask ask, base::TimePoint deadline, Asker& asker, const Executor& executor);
  /// As in the configuration: "tls://9.9.9.9#dns.quad9.net".
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// Addresses or routes of this machine have changed: nothing goes the old way any more. True when
  /// something did.
  virtual bool network_changed() { return false; }
  /// No exchange begins from now on; those under way may end. To be awaited before destruction.
  virtual Awaitable<void> close(base::TimePoint drain_until) = 0;
};

/// begin() as a coroutine, which Asio's cancellation ends.
Awaitable<base::Result<dns::KeptAnswer>> begin_and_wait(Upstream& upstream, Ask ask,
                                                        base::TimePoint deadline,
                                                        Executor executor);

}  // namespace transports
