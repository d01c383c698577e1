// FallbackUpstream: which way a question goes, and when the wanted one is tried again.
#include "transports/upstreams/fallback.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace transports {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// So long a question waits for a connection over the wanted way: a round trip or two of a slow path
// (RFC 8305 §5 has 250 ms).
constexpr milliseconds patience{300};
// What blocks UDP does so for long; who comes home is noticed within seconds.
constexpr seconds pause_least{5};
constexpr seconds pause_most{300};

}  // namespace

FallbackUpstream::FallbackUpstream(std::unique_ptr<StreamUpstream> wanted,
                                   std::unique_ptr<StreamUpstream> other,
                                   const UpstreamContext& context)
    : wanted_(std::move(wanted)),
      other_(std::move(other)),
      executor_(context.executor),
      log_(context.log),
      fallbacks_(context.sheet.counter("sallyport_upstream_fallbacks_total",
                                       {{"upstream", std::string(wanted_->name())}})),
      under_way_(context.executor),
      pause_(pause_least),
      probe_(*this) {}

void FallbackUpstream::Way::begin(Upstream& upstream, const Ask& ask, base::TimePoint deadline,
                                  const Executor& executor) {
  begun_ = true;
  upstream.begin(ask, deadline, *this, executor);
}

void FallbackUpstream::Way::replied(Reply reply) {
  reply_ = std::move(reply);
  woken_.cancel();
}

Awaitable<base::Result<dns::KeptAnswer>> FallbackUpstream::exchange(Ask ask,
                                                                    base::TimePoint deadline) {
  const UnderWay::Mark mark(under_way_);
  Timer woken(executor_);
  Way wanted(woken);
  Way other(woken);
  if (!fallen_back_) {
    wanted.begin(*wanted_, ask, deadline, executor_);
  } else {
    ask_other(other, ask, deadline);
    probe(ask, deadline);
  }
  base::TimePoint look = base::Clock::now() + patience;
  bool located = wanted_->is_located();
  for (;;) {
    // Only now it is dialled: that an address came late says nothing of UDP.
    if (!located && wanted_->is_located()) {
      located = true;
      look = base::Clock::now() + patience;
    }
    if (wanted.answered()) {
      come_back();
      co_return wanted.take();
    }
    if (other.answered()) {
      // A question that the wanted way had no answer to, although it stands, says nothing of it.
      if (wanted.begun() && !wanted_->is_connected()) fall_back();
      Reply reply = other.take();
      reply->by_fallback = true;
      co_return reply;
    }
    if (wanted.failed() && (other.failed() || !located)) co_return wanted.take();
    const bool waited = located && base::Clock::now() >= look;
    if (!other.begun() && (wanted.failed() || (waited && !wanted_->is_connected()))) {
      ask_other(other, ask, deadline);
      continue;
    }
    if (!wanted.begun() && other.failed()) {
      wanted.begin(*wanted_, ask, deadline, executor_);
      continue;
    }
    // Both ways keep the deadline themselves.
    look = std::max(look, base::Clock::now() + patience / 2);
    co_await sleep_until(woken, other.begun() ? base::TimePoint::max() : look);
  }
}

void FallbackUpstream::ask_other(Way& way, const Ask& ask, base::TimePoint deadline) {
  fallbacks_.add();
  way.begin(*other_, ask, deadline, executor_);
}

void FallbackUpstream::fall_back() {
  if (std::exchange(fallen_back_, true)) return;
  probe_at_ = base::Clock::now() + pause_;
  log_.warning("upstream is asked another way",
               {{"upstream", wanted_->name()}, {"way", other_->name()}});
}

void FallbackUpstream::come_back() {
  pause_ = pause_least;
  if (std::exchange(fallen_back_, false))
    log_.info("upstream is asked the wanted way again", {{"upstream", wanted_->name()}});
}

void FallbackUpstream::probe(const Ask& ask, base::TimePoint deadline) {
  if (probing_ || closing_ || base::Clock::now() < probe_at_) return;
  probing_ = true;
  wanted_->begin(ask, deadline, probe_, executor_);
}

void FallbackUpstream::probed(bool answered) {
  probing_ = false;
  if (answered) return come_back();
  pause_ = std::min<base::Clock::duration>(2 * pause_, pause_most);
  probe_at_ = base::Clock::now() + pause_;
}

/// Where other ways lead there now, UDP may get through again.
bool FallbackUpstream::network_changed() {
  const bool wanted = wanted_->network_changed();
  const bool other = other_->network_changed();
  if (wanted || other) probe_at_ = {};
  return wanted || other;
}

Awaitable<void> FallbackUpstream::close(base::TimePoint drain_until) {
  closing_ = true;
  probe_.let_go();
  co_await wanted_->close(drain_until);
  co_await other_->close(drain_until);
  co_await under_way_.none_left(base::TimePoint::max());  // each of them has been told
}

}  // namespace transports
