// Choosing a link, and what to do when it was the wrong one.
#include "transports/upstreams/link_pool.h"

#include <algorithm>
#include <utility>

namespace transports {

using std::chrono::milliseconds;

namespace {
constexpr milliseconds retransmission{220};
}  // namespace

struct LinkPool::Asked {
  Asked(std::shared_ptr<Link> on, Executor executor, const Ask& ask, bool edns)
      : link(std::move(on)), first(executor, ask, edns) {}

  /// A reply that came beside counts, a failure there does not: the first may still bring one.
  [[nodiscard]] bool settled() const {
    if (beside && beside->judged) return true;
    return first.judged || (first.failure && (!beside || beside->failure));
  }

  std::shared_ptr<Link> link;
  std::shared_ptr<Link> fresh;
  Waiting first;
  std::unique_ptr<Waiting> beside;  // hardly ever
  bool trusted = true;              ///< the link, when it was asked
  bool may_ask = true;              ///< beside it, for it has not been done yet
};

LinkPool::LinkPool(LinkMaker maker, EdnsHabit& edns)
    : maker_(std::move(maker)),
      terms_(maker_.terms),
      edns_(edns),
      under_way_(terms_->executor),
      line_(terms_->executor) {}

LinkPool::~LinkPool() {
  for (const std::shared_ptr<Link>& link : links_)
    link->close(LinkEnd::closing, fail(Reason::closing, "closing"));
}

Awaitable<base::Result<dns::KeptAnswer, Failure>> LinkPool::exchange(const Ask& ask,
                                                                     base::TimePoint limit) {
  const UnderWay::Mark mark(under_way_);
  const Line::Leaving leaving(line_);
  const base::TimePoint began = base::Clock::now();
  bool edns = edns_.usable(began);
  bool edns_refused = false;
  bool retried = false;
  unsigned returns = 0;
  for (;;) {
    Picked link = co_await pick_in_turn(retried ? began : base::TimePoint::min(), limit);
    if (!link) co_return std::unexpected(std::move(link.error()));
    Asked asked(std::move(*link), terms_->executor, ask, edns);
    asked.trusted = asked.link->trusted(asked.first.asked_at, pace_.patience(most_patience()));
    asked.first.wanted_since = began;
    asked.may_ask = !retried;  // three times in all (RFC 9520 §3.1)
    asked.link->send(asked.first);
    beside_.query();
    co_await wait(asked, limit);

    const bool fresher = asked.beside && asked.beside->judged;
    if (fresher) give_up_silent(asked);
    Waiting& waiting = fresher ? *asked.beside : asked.first;
    if (!asked.settled()) {
      if (!asked.first.done()) asked.link->timed_out(asked.first);
      if (asked.beside && !asked.beside->done()) asked.fresh->timed_out(*asked.beside);
      co_return std::unexpected(nothing_came());
    }
    if (waiting.failure) {
      Failure& failure = *waiting.failure;
      if (waiting.unprocessed && ++returns <= returns_max && !closing_ &&
          base::Clock::now() < limit) {
        terms_->metrics.retry();
        continue;
      }
      const bool again =
          failure.error.retry == base::Retry::fresh_link && !retried && base::Clock::now() < limit;
      if (!again || closing_) {
        if (failure.error.retry == base::Retry::fresh_link)
          failure.error.retry = base::Retry::other_upstream;
        co_return std::unexpected(std::move(failure));
      }
      retried = true;
      terms_->metrics.retry();
      continue;
    }
    switch (waiting.judged->kind) {
      case ReplyKind::answer: {
        answered_within(base::Clock::now() - waiting.asked_at);
        const dns::Rcode rcode = waiting.judged->answer.rcode;
        const bool refused_again = rcode == dns::Rcode::formerr || rcode == dns::Rcode::notimp;
        if (edns_refused && !refused_again) edns_.not_understood(base::Clock::now());
        co_return std::move(waiting.judged->answer);
      }
      case ReplyKind::edns_unknown:
        edns = false;
        edns_refused = true;
        terms_->metrics.retry();
        break;
      default: co_return std::unexpected(fail(Reason::truncated, "truncated over a stream"));
    }
  }
}

Failure LinkPool::nothing_came() const {
  if (terms_->host && host_version() == 0)
    return fail(Reason::unknown_host, terms_->host->ignorance());
  return fail(Reason::timeout, "no reply in time");
}

Awaitable<void> LinkPool::wait(Asked& asked, base::TimePoint limit) {
  // Now and then the kernel is asked whether the peer's has confirmed our octets at all: a path
  // that a NAT has forgotten, or that was cut, would otherwise cost the whole time.
  const base::Clock::duration step = confirmed_within();
  base::TimePoint look = asked.first.asked_at + step;
  while (!asked.settled()) {
    const base::TimePoint next = asked.may_ask ? suspicious_at(asked) : base::TimePoint::max();
    co_await sleep_until(asked.first.woken, std::min({look, next, limit}));
    const base::TimePoint now = base::Clock::now();
    if (now >= limit || asked.settled()) co_return;
    if (asked.may_ask) look_after(asked, now);
    if (now < look) continue;
    if (!asked.first.done()) asked.link->doubt(asked.first, step);
    look = now + step;
  }
}

/// When the link's silence since the question is longer than is usual. One that is not trusted, for
/// it has long been idle or owes an answer, is given half the time.
base::TimePoint LinkPool::suspicious_at(const Asked& asked) const {
  base::Clock::duration patience = pace_.patience(most_patience());
  if (asked.link->dialing())
    return asked.first.asked_at + std::min(dial_factor * patience, most_patience());
  if (!asked.trusted)
    patience = std::max<base::Clock::duration>(patience / 2, short_patience_least);
  return std::max(asked.first.asked_at, asked.link->quiet_since()) + patience;
}

void LinkPool::look_after(Asked& asked, base::TimePoint now) {
  if (asked.first.done() || now < suspicious_at(asked)) return;
  if (asked.trusted || asked.link->dialing()) {
    beside_.owe();
  } else if (!beside_.take()) {
    asked.trusted = true;  // then it has the whole time
    return;
  }
  asked.may_ask = false;
  ask_beside(asked);
}

void LinkPool::ask_beside(Asked& asked) {
  asked.link->suspect();
  Picked fresh = pick(asked.first.asked_at);
  if (!fresh) return;
  asked.fresh = std::move(*fresh);
  asked.beside = std::make_unique<Waiting>(asked.first);
  terms_->metrics.retry();
  asked.fresh->send(*asked.beside);
}

/// A fresh link was answered while the other had nothing to say: it is dead, and whoever waits on
/// it is asked again. Nor are those trusted that were not heard since either; nobody misses them.
void LinkPool::give_up_silent(const Asked& asked) {
  for (const std::shared_ptr<Link>& link : links_) {
    if (link == asked.fresh || link->closed() || link->dialing()) continue;
    const bool unheard = link->idle() && link->quiet_since() < asked.first.asked_at;
    if (link->suspected() || unheard)
      link->close(LinkEnd::silent, link->silence("silent, while a fresh one was answered"));
  }
}

/// A segment that was lost is sent again, and confirmed, by then: TCP waits for 200 ms at least
/// (RFC 6298 §2.4 wants more), and the quickest answer is hardly quicker than the path.
base::Clock::duration LinkPool::confirmed_within() const {
  if (quickest_.count() == 0) return most_patience();
  return std::min<base::Clock::duration>(most_patience(), retransmission + 2 * quickest_);
}

/// What was quick once, on another path perhaps, is forgotten bit by bit.
void LinkPool::answered_within(base::Clock::duration time) {
  pace_.took(time);
  quickest_ = quickest_.count() == 0 ? time : std::min(time, quickest_ + quickest_ / 8);
}

Awaitable<LinkPool::Picked> LinkPool::pick_in_turn(base::TimePoint dialed_after,
                                                   base::TimePoint limit) {
  Picked link = pick(dialed_after);
  for (bool again = false; !link && link.error().reason == Reason::busy; again = true) {
    if (!co_await line_.wait(limit, again)) break;
    link = pick(dialed_after);
  }
  co_return link;
}

LinkPool::Picked LinkPool::pick(base::TimePoint dialed_after) {
  if (closing_) return std::unexpected(fail(Reason::closing, "closing"));
  for (const std::shared_ptr<Link>& link : links_) link->look();
  sweep();
  // A link that is up comes before one that is being dialled. The first has most to do, and so the
  // later ones may idle out when they are not needed.
  for (const bool dialing : {false, true}) {
    for (const std::shared_ptr<Link>& link : links_) {
      if (link->takes_more() && link->dialing() == dialing && link->dialed_at() >= dialed_after)
        return link;
    }
  }
  if (may_dial()) return dial();
  // An old link without work gives way to the fresh one that is wanted.
  const auto old = std::ranges::find_if(links_, [](const auto& link) { return link->idle(); });
  if (old == links_.end()) return std::unexpected(fail(Reason::busy, "all links are full"));
  (*old)->close(LinkEnd::closing, fail(Reason::closed, "replaced"));
  links_.erase(old);
  return dial();
}

/// A link that ends with its last question makes room for its successor at once; but an upstream
/// that lets them end slowly gets no more than twice as many.
bool LinkPool::may_dial() const {
  const auto lasting = std::ranges::count_if(
      links_, [](const auto& link) { return !link->retired() && !link->suspected(); });
  return static_cast<std::size_t>(lasting) < terms_->upstream.links &&
         links_.size() < 2 * terms_->upstream.links;
}

LinkPool::Picked LinkPool::dial() {
  const bool elsewhere = host_version() != failed_version_;  // than where it could not be reached
  if (base::Clock::now() < no_dial_before_ && !elsewhere) return std::unexpected(last_failure_);
  if (links_.empty()) ways_ = ways_now();
  return links_.emplace_back(maker_.dial(under_way_));
}

std::vector<std::optional<Way>> LinkPool::ways_now() const {
  if (terms_->upstream.proxy) return {way_to(terms_->upstream.proxy->address)};
  std::vector<std::optional<Way>> ways;
  for (const base::Endpoint& place : places_of(terms_->upstream, terms_->host.get()))
    ways.push_back(way_to(place.address));
  return ways;
}

bool LinkPool::network_changed() {
  no_dial_before_ = {};  // who could not be reached may be there now
  sweep();
  if (links_.empty()) return false;
  std::vector<std::optional<Way>> ways = ways_now();
  if (ways == ways_) return false;
  ways_ = std::move(ways);
  for (const std::shared_ptr<Link>& link : links_)
    link->close(LinkEnd::network, fail(Reason::closed, "the network has changed"));
  line_.call_all();
  return true;
}

void LinkPool::sweep() {
  for (const std::shared_ptr<Link>& link : links_) {
    if (link->fruitful()) note_fruitful();
    if (link->closed() && link->barren()) note_barren(*link);
  }
  std::erase_if(links_, [](const auto& link) { return link->closed(); });
}

void LinkPool::note_fruitful() {
  if (std::exchange(barren_in_a_row_, 0) > 1) {
    terms_->log.info("upstream reached again", {{"upstream", terms_->upstream.url}});
  }
}

/// An upstream that cannot be reached is dialled at growing distances, once a second at most;
/// meanwhile questions fail at once with what was wrong.
void LinkPool::note_barren(const Link& link) {
  const bool changed = barren_in_a_row_ == 0 || last_failure_.reason != link.barren()->reason;
  last_failure_ = *link.barren();
  failed_version_ = host_version();
  // The first may have been bad luck: whoever waited on it is retried at once.
  milliseconds pause{0};
  if (barren_in_a_row_ > 0) pause = milliseconds{100} * (1U << std::min(barren_in_a_row_ - 1, 4U));
  no_dial_before_ = link.closed_at() + std::min(pause, milliseconds{1000});
  ++barren_in_a_row_;
  if (changed)
    terms_->log.warning("upstream cannot be reached", {{"why", last_failure_.error.context}});
}

bool LinkPool::is_connected() const {
  return std::ranges::any_of(links_, [](const auto& link) {
    return !link->dialing() && !link->closed() && !link->suspected();
  });
}

Awaitable<void> LinkPool::close(base::TimePoint drain_until) {
  closing_ = true;
  line_.call_all();
  for (const std::shared_ptr<Link>& link : links_) link->retire();
  co_await under_way_.none_left(drain_until);
  for (const std::shared_ptr<Link>& link : links_)
    link->close(LinkEnd::closing, fail(Reason::closing, "closing"));
  co_await under_way_.none_left(base::TimePoint::max());  // each of them has been woken
  links_.clear();
}

}  // namespace transports
