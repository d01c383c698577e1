// Tries: when the next one is sent, and which one wins.
#include "gateway/upstreams/race.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "conf/urls.h"
#include "dns/verdict.h"
#include "gateway/upstreams/upstream_set.h"

namespace gateway::upstreams {

std::string outcome_of(const dns::KeptAnswer& reply) {
  return dns::to_text(reply.rcode) + (reply.by_fallback ? " over its fallback" : "");
}

Race::Race() {
  for (Try& one : tries_) one.race = this;
}

void Race::begin(std::shared_ptr<UpstreamSet> set, transports::Ask ask, base::TimePoint deadline,
                 Handler handler, Trace* trace) {
  const AtWork at_work{*this};
  set_ = std::move(set);
  ask_ = std::move(ask);
  began_ = base::Clock::now();
  deadline_ = deadline;
  handler_ = std::move(handler);
  trace_ = trace;
  order_ = set_->choose(ask_.question);
  next_ = count_ = 0;
  starting_ = true;
  done_ = false;
  last_error_ = {base::Blame::us, base::Retry::never, "no upstream is configured"};
  set_->budget().query();
  if (!launch_next(Why::first, began_) && running_ == 0 && !done_) {
    end_without_winner();
  } else if (set_->asks_two() && !done_ && has_next(Standing::well)) {
    launch_next(Why::race, began_);
  }
  starting_ = false;
  if (!done_) set_timer();
}

/// False when nobody is left to be asked, or no time.
bool Race::launch_next(Why why, base::TimePoint now) {
  if (next_ == order_.size || count_ == tries_most || now >= deadline_) return false;
  Try& one = tries_[count_++];
  one.member = order_.indices[next_++];
  one.why = why;
  one.hedged = one.suspected = one.doubted = false;
  one.began = now;
  one.running = true;
  ++running_;
  Member& member = member_of(one);
  member.count_try(why);
  const base::TimePoint limit = std::min(deadline_, now + member.timeout());
  try {
    member.upstream().begin(ask_, limit, one, set_->executor());
  } catch (const std::exception& error) {  // memory or descriptors are short
    one.let_go();
    one.running = false;
    --running_;
    one.outcome = error.what();
    last_error_ = {base::Blame::us, base::Retry::never, "out of resources"};
    return false;
  }
  return true;
}

/// Somebody who is worth being asked beside another; the drained are asked for want of others only.
bool Race::has_next(Standing worst) const {
  if (next_ == order_.size || count_ == tries_most) return false;
  const Member& next = set_->member(order_.indices[next_]);
  return !next.drained && next.health().standing() <= worst;
}

/// An upstream without others has all the time: nothing would come of its being slow.
void Race::set_timer() {
  if (set_->is_single()) return;
  base::TimePoint due = base::TimePoint::max();
  for (const Try& one : std::span{tries_}.first(count_)) {
    if (!one.running) continue;
    const Member& member = member_of(one);
    if (!one.hedged) due = std::min(due, one.began + member.hedge_after());
    if (!one.suspected) due = std::min(due, one.began + member.patience());
  }
  if (due < deadline_) set_->timers().set(*this, due);
}

void Race::on_deadline(base::TimePoint now) {
  const AtWork at_work{*this};
  for (std::size_t i = 0; i < count_ && !done_; ++i) {
    if (tries_[i].running) look_at(tries_[i], now);
  }
  if (!done_) set_timer();
}

void Race::look_at(Try& one, base::TimePoint now) {
  Member& member = member_of(one);
  const bool newest = &one == &tries_[count_ - 1];
  if (!one.suspected && now >= one.began + member.patience()) {
    one.suspected = one.hedged = true;
    if (member.silent_since(one.began)) set_->suspect(member, now);
    // Whoever rests or is drained may know: this one says nothing.
    if (newest && launch_next(Why::silence, now)) set_->budget().owe();
  } else if (!one.hedged && now >= one.began + member.hedge_after()) {
    one.hedged = true;
    if (!newest || !has_next(Standing::well)) return;
    if (set_->take_hedge()) launch_next(Why::hedge, now);
  }
}

void Race::ended(Try& one, Reply reply) {
  const AtWork at_work{*this};
  one.running = false;
  --running_;
  const base::TimePoint now = base::Clock::now();
  one.ended = now;
  if (done_) return take_second(one, std::move(reply), now);
  if (reply) {
    take_reply(one, std::move(reply), now);
  } else {
    take_failure(one, std::move(reply.error()), now);
  }
  if (!done_ && !starting_) set_timer();
}

/// A reply that comes second, or none, still tells how the upstream is.
void Race::take_second(Try& one, Reply reply, base::TimePoint now) {
  Member& member = member_of(one);
  if (!reply) {
    if (is_at_fault(one, reply.error())) set_->fail(member, std::move(reply.error().context), now);
    return;
  }
  member.replied(one.began, now);
  if (dns::is_believed(*reply)) set_->prove(member, now);
}

/// Whoever answered others meanwhile was not silent: then it is the question.
bool Race::is_at_fault(const Try& one, const base::Error& error) const {
  return error.blame == base::Blame::upstream && member_of(one).silent_since(one.began);
}

void Race::take_reply(Try& one, Reply reply, base::TimePoint now) {
  if (trace_ != nullptr) one.outcome = outcome_of(*reply);
  Member& member = member_of(one);
  member.replied(one.began, now);
  if (dns::is_believed(*reply)) return win(one, std::move(*reply), now);
  one.doubted = true;
  if (!reply->has_ede) {  // RFC 8914 §4.23; who asks shall know whose answer it is
    reply->has_ede = true;
    reply->ede = dns::Ede::no_reachable_authority;
    reply->ede_text = conf::url_without_path(member.name()) + ": " + dns::to_text(reply->rcode);
  }
  if (!doubted_) doubted_ = std::move(*reply);
  if (running_ == 0 && !launch_next(Why::failure, now)) end_without_winner();
}

void Race::take_failure(Try& one, base::Error error, base::TimePoint now) {
  if (trace_ != nullptr) one.outcome = error.context;
  if (is_at_fault(one, error)) set_->fail(member_of(one), error.context, now);
  last_error_ = std::move(error);
  if (running_ != 0) return;  // another is under way already
  if (!launch_next(Why::failure, now)) end_without_winner();
}

void Race::win(Try& one, dns::KeptAnswer answer, base::TimePoint now) {
  done_ = true;
  set_->prove(member_of(one), now);
  if (one.why == Why::hedge) member_of(one).count_won_hedge();
  for (Try& other : std::span{tries_}.first(count_)) {
    // That the question can be answered has been shown: so it was the upstream.
    if (other.doubted)
      set_->fail(member_of(other), "answers SERVFAIL or REFUSED where others know", now);
  }
  let_go_of_others(one, now);
  complete(std::move(answer));
}

void Race::let_go_of_others(const Try& winner, base::TimePoint now) {
  if (set_->asks_two()) return;  // the second's answer is paid for, and tells which is the faster
  for (Try& other : std::span{tries_}.first(count_)) {
    if (!other.running || &other == &winner) continue;
    other.ended = now;
    other.running = false;
    --running_;
    if (trace_ != nullptr) other.outcome = "let go";
    Member& member = member_of(other);
    member.given_up(other.began, now);
    if (other.suspected && member.silent_since(other.began))
      set_->outrun(member, member_of(winner).name(), now);
    other.let_go();
  }
}

void Race::end_without_winner() {
  done_ = true;
  if (doubted_) return complete(std::move(*std::exchange(doubted_, std::nullopt)));
  complete(std::unexpected(std::move(last_error_)));
}

void Race::complete(Reply reply) {
  set_->timers().clear(*this);
  if (trace_ != nullptr) write_trace();
  if (starting_) {
    boost::asio::post(set_->executor(),
                      [handler = std::move(handler_), reply = std::move(reply)]() mutable {
                        std::move(handler)(std::move(reply));
                      });
  } else {
    std::move(handler_)(std::move(reply));
  }
}

void Race::write_trace() {
  trace_->order = order_;
  for (const Try& one : std::span{tries_}.first(count_)) {
    const Member& member = member_of(one);
    const base::TimePoint end = one.running ? base::Clock::now() : one.ended;
    trace_->tries.push_back({std::string{member.name()}, member.line(), one.why, one.began - began_,
                             end - one.began, one.running ? "still under way" : one.outcome});
  }
}

void Race::give_back() {
  doubted_.reset();
  const std::shared_ptr<UpstreamSet> set = std::move(set_);
  set->give_back(*this);
}

Member& Race::member_of(const Try& one) const { return set_->member(one.member); }

}  // namespace gateway::upstreams
