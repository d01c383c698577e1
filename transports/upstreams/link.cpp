// Link: what is the same whatever is spoken over the connection.
#include "transports/upstreams/link.h"

#include <algorithm>
#include <utility>

namespace transports {

LinkTerms::LinkTerms(const conf::Upstream& settings, const UpstreamContext& context)
    : upstream(settings),
      host(host_of(settings, context.hosts)),
      executor(context.executor),
      random(context.random),
      log(context.log),
      metrics(context.sheet, settings) {}

Waiting::Waiting(Executor executor, const Ask& wanted, bool edns)
    : ask(wanted), asked_at(base::Clock::now()), wanted_since(asked_at), woken(executor) {
  sent.question = wanted.question;
  sent.edns = edns;
}

Waiting::Waiting(Waiting& first) : Waiting(first.woken.get_executor(), first.ask, first.sent.edns) {
  wanted_since = first.wanted_since;
  to_wake_ = &first.woken;
}

Waiting::~Waiting() {
  if (link_) link_->leave(*this);
}

std::size_t Waiting::compose(dns::OutgoingOptions options, base::MutableBytes out) const {
  if (!verbatim.empty()) {
    std::ranges::copy(verbatim, out.begin());
    base::store_u16(out.data(), sent.id);
    return verbatim.size();
  }
  options.id = sent.id;
  options.checking_disabled = ask.checking_disabled;
  options.dnssec_ok = ask.dnssec_ok;
  options.authentic_data = true;
  options.edns = sent.edns;
  return dns::compose_query(sent.question, options, out);
}

Link::Link(std::shared_ptr<LinkTerms> terms)
    : terms_(std::move(terms)),
      dialed_at_(base::Clock::now()),
      idle_since_(dialed_at_),
      idle_timeout_(terms_->upstream.idle_timeout) {}

void Link::opened(bool resumed) {
  terms_->metrics.connected(resumed);
  state_ = State::open;
  early_ = false;
  opened_at_ = idle_since_ = base::Clock::now();
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    Waiting& waiting = *next++;
    if (!waiting.transmitted_) hand_out(waiting);
  }
}

void Link::opened_early() {
  early_ = true;
  for (auto next = waiting_.begin(); next != waiting_.end() && room();) hand_out(*next++);
}

void Link::early_rejected() {
  early_ = false;
  for (Waiting& waiting : waiting_) waiting.transmitted_ = false;
}

void Link::hand_out(Waiting& waiting) {
  waiting.transmitted_ = true;
  transmit(waiting);
}

void Link::dial_failed(Failure failure) {
  terms_->metrics.connection_failed(failure.reason);
  close(LinkEnd::error, std::move(failure));
}

bool Link::takes_more() const {
  return !closed() && !retired_ && !suspected_ && live_ < terms_->upstream.queries_per_link &&
         room();
}

void Link::look() {
  if (is_open() && idle()) take_arrived();
}

void Link::send(Waiting& waiting) {
  waiting.link_ = this;
  waiting_.insert(place_of(waiting), waiting);
  ++live_;
  if (owes_since_ == base::TimePoint{}) owes_since_ = waiting.asked_at;
  if (speaks()) hand_out(waiting);
}

/// While the link is being dialled, those come first who have waited longest: an upstream that says
/// goodbye again and again would otherwise have somebody come too late each time.
auto Link::place_of(const Waiting& waiting) -> Places::iterator {
  auto place = waiting_.end();
  if (speaks()) return place;
  while (place != waiting_.begin() && std::prev(place)->wanted_since > waiting.wanted_since)
    --place;
  return place;
}

void Link::heard() {
  last_message_at_ = base::Clock::now();
  owes_since_ = {};
  suspected_ = false;
  ++received_;
}

Taken Link::take_reply(Waiting* waiting, base::Bytes message, ReplyEdns& edns) {
  Judged judged;
  if (waiting != nullptr) judged = judge_stream_reply(message, waiting->sent, edns);
  if (judged.kind == ReplyKind::other) {
    terms_->metrics.mismatch();
    if (++strays_ <= strays_max) return Taken::stray;
    close(LinkEnd::error, fail(Reason::closed, "replies to nothing that was asked"));
    return Taken::link_ended;
  }
  if (judged.kind == ReplyKind::unreadable) {
    waiting->failure = fail(Reason::malformed, "malformed reply: " + judged.why);
    finish(*waiting);
    close(LinkEnd::error, fail(Reason::closed, "a malformed reply"));
    return Taken::link_ended;
  }
  waiting->judged = std::move(judged);
  finish(*waiting);
  after_departure();
  return closed() ? Taken::link_ended : Taken::reply;
}

void Link::take_own_reply(Waiting& waiting, base::Bytes message) {
  ReplyEdns edns;
  Judged judged = judge_stream_reply(message, waiting.sent, edns);
  if (judged.kind == ReplyKind::other) {
    terms_->metrics.mismatch();
    refuse(waiting, fail(Reason::malformed, "the reply to another question"));
    if (++strays_ <= strays_max || closed()) return;
    return close(LinkEnd::error, fail(Reason::closed, "replies to nothing that was asked"));
  }
  if (judged.kind == ReplyKind::unreadable)
    return refuse(waiting, fail(Reason::malformed, "malformed reply: " + judged.why));
  if (!waiting.verbatim.empty()) waiting.raw.assign(message.begin(), message.end());
  waiting.judged = std::move(judged);
  finish(waiting);
  after_departure();
}

void Link::refuse(Waiting& waiting, Failure why) {
  waiting.failure = std::move(why);
  finish(waiting);
  after_departure();
}

void Link::give_back(Waiting& waiting, std::string_view why) {
  waiting.unprocessed = true;
  refuse(waiting, fail(Reason::closed, why));
}

void Link::take_no_more() {
  retired_ = true;
  if (idle() && is_open()) close(LinkEnd::idle, fail(Reason::closed, "retired"));
}

void Link::set_idle_timeout(std::chrono::milliseconds timeout) {
  idle_timeout_ = std::min(terms_->upstream.idle_timeout, timeout);
}

/// Replies wake the reader by themselves; time does so only for a link that may have become idle.
base::TimePoint Link::next_look() const {
  return idle() ? idle_since_ + idle_timeout_ : base::Clock::now() + idle_timeout_;
}

void Link::close_if_idle() {
  if (!idle() || base::Clock::now() < idle_since_ + idle_timeout_) return;
  take_arrived();  // a reply that has come in this very moment finds nobody; a close finds itself
  if (!closed()) close(LinkEnd::idle, fail(Reason::closed, "idle"));
}

void Link::part(Waiting& waiting) {
  waiting_.erase(waiting_.iterator_to(waiting));
  waiting.link_ = nullptr;
  --live_;
}

void Link::finish(Waiting& waiting) {
  part(waiting);
  waiting.to_wake_->cancel();
}

void Link::leave(Waiting& waiting) {
  if (speaks()) forget(waiting);
  part(waiting);
  after_departure();
}

void Link::after_departure() {
  if (!idle()) return;
  idle_since_ = base::Clock::now();
  if (retired_) take_no_more();
}

bool Link::trusted(base::TimePoint now, base::Clock::duration patience) const {
  const bool owes = owes_since_ != base::TimePoint{} && now - owes_since_ > patience;
  return !owes && now - quiet_since() <= trusted_for;
}

void Link::suspect() {
  if (!std::exchange(suspected_, true)) terms_->metrics.suspected();
}

void Link::doubt(const Waiting& waiting, base::Clock::duration patience) {
  if (!is_open() || !silent_since(waiting.asked_at, patience)) return;
  if (!unacknowledged(std::max(waiting.asked_at, opened_at_))) return;
  close(LinkEnd::error, silence("nothing gets through any more"));
}

void Link::timed_out(Waiting& waiting) {
  const bool silent = is_open() && silent_since(waiting.asked_at, terms_->upstream.timeout / 2);
  leave(waiting);
  if (silent && !closed()) close(LinkEnd::error, silence("silent until a query timed out"));
}

/// A link that has just opened had no time to say anything yet.
bool Link::silent_since(base::TimePoint when, base::Clock::duration patience) const {
  return last_message_at_ < when && base::Clock::now() - opened_at_ >= patience;
}

void Link::retire() {
  retired_ = true;
  if (idle() && !closed()) close(LinkEnd::closing, fail(Reason::closing, "closing"));
}

void Link::close(LinkEnd end, Failure why) {
  if (closed()) return;
  if (is_open()) terms_->metrics.disconnected(end);
  state_ = State::closed;
  closed_at_ = base::Clock::now();
  if (received_ == 0 && (end == LinkEnd::error || end == LinkEnd::peer)) barren_ = why;
  disconnect();
  while (!waiting_.empty()) {
    Waiting& waiting = waiting_.front();
    waiting.failure = why;
    waiting.unprocessed = end == LinkEnd::network;
    finish(waiting);
  }
}

}  // namespace transports
