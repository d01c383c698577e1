// Link: one coroutine dials and reads, another writes; questions come and go in between.
#include "transports/upstreams/link.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "dns/compose.h"

namespace transports {

Waiting::Waiting(Executor executor, const Ask& wanted, bool edns)
    : ask(wanted), asked_at(base::Clock::now()), woken(executor) {
  sent.question = wanted.question;
  sent.edns = edns;
}

Waiting::~Waiting() {
  if (link_) link_->leave(*this);
}

Link::Link(std::shared_ptr<LinkTerms> terms)
    : terms_(std::move(terms)),
      connection_(terms_->executor, terms_->upstream, terms_->tls, terms_->receive_buffer),
      dialed_at_(base::Clock::now()),
      idle_since_(dialed_at_),
      idle_timeout_(terms_->upstream.idle_timeout),
      writer_timer_(terms_->executor) {}

std::shared_ptr<Link> Link::dial(std::shared_ptr<LinkTerms> terms, UnderWay& under_way) {
  const Executor executor = terms->executor;
  auto link = std::make_shared<Link>(std::move(terms));
  boost::asio::co_spawn(executor, run(link, UnderWay::Mark(under_way)), boost::asio::detached);
  return link;
}

Awaitable<void> Link::run(std::shared_ptr<Link> self, UnderWay::Mark mark) {
  const base::TimePoint limit = self->dialed_at_ + self->terms_->upstream.timeout;
  std::optional<Failure> failure = co_await self->connection_.open(limit);
  if (self->closed()) co_return;
  if (failure) {
    self->terms_->metrics.connection_failed(failure->reason);
    self->close(LinkEnd::error, std::move(*failure));
    co_return;
  }
  self->terms_->metrics.connected(self->terms_->tls && self->connection_.tls_facts().resumed);
  self->state_ = State::open;
  self->opened_at_ = self->idle_since_ = base::Clock::now();
  boost::asio::co_spawn(self->terms_->executor, write_all(self, mark), boost::asio::detached);
  co_await self->read_all();
}

Awaitable<void> Link::read_all() {
  for (take_octets(); !closed(); take_octets()) {
    const base::TimePoint look_at = next_look();
    co_await connection_.readable(look_at);
    if (closed()) co_return;
    if (idle() && base::Clock::now() >= idle_since_ + idle_timeout_) {
      take_octets();  // a reply that has come in this very moment finds nobody; a close finds
                      // itself
      if (!closed()) close(LinkEnd::idle, fail(Reason::closed, "idle"));
    }
  }
}

/// Replies wake the reader by themselves; time does so only for a link that may have become idle.
base::TimePoint Link::next_look() const {
  return idle() ? idle_since_ + idle_timeout_ : base::Clock::now() + idle_timeout_;
}

Awaitable<void> Link::write_all(std::shared_ptr<Link> self, UnderWay::Mark mark) {
  // Whoever wakes us does so through the loop: what is asked in the same turn leaves in the same
  // write.
  while (!self->closed()) {
    self->flush();
    if (self->closed()) co_return;
    if (self->write_blocked_) {
      co_await self->connection_.writable(base::TimePoint::max());
      self->write_blocked_ = false;
      continue;
    }
    self->writer_asleep_ = true;
    co_await sleep_until(self->writer_timer_, base::TimePoint::max());
    self->writer_asleep_ = false;
  }
}

void Link::flush() {
  ChannelStatus status = ChannelStatus::ok;
  while (status == ChannelStatus::ok && outbox_sent_ < outbox_.size()) {
    const ChannelResult written = connection_.write(next_to_write());
    outbox_sent_ += written.octets;
    status = written.status;
  }
  if (outbox_sent_ == outbox_.size()) {
    outbox_.clear();
    outbox_sent_ = 0;
    if (outbox_.capacity() > outbox_max / 8) outbox_.shrink_to_fit();  // an idle link costs little
  }
  switch (status) {
    case ChannelStatus::ok:
    case ChannelStatus::want_read: break;  // TLS wants to hear first: the reader wakes us
    case ChannelStatus::want_write: write_blocked_ = true; break;
    case ChannelStatus::closed:
    case ChannelStatus::failed:
      close(LinkEnd::error, fail(Reason::closed, connection_.failure_text()));
      break;
  }
}

/// Over TLS each query is a record of its own: Knot DNS 3.4.6 answers the first of several in one
/// record, and the others when more octets come.
base::Bytes Link::next_to_write() const {
  constexpr std::size_t length_size = 2;
  const base::Bytes waiting = base::Bytes{outbox_}.subspan(outbox_sent_);
  return terms_->tls ? waiting.first(length_size + base::load_u16(waiting.data())) : waiting;
}

void Link::wake_writer() {
  if (std::exchange(writer_asleep_, false)) writer_timer_.cancel();
}

bool Link::takes_more() const {
  return !closed() && !retired_ && in_flight_.size() < terms_->upstream.queries_per_link &&
         outbox_.size() - outbox_sent_ < outbox_max;
}

void Link::look() {
  if (state_ == State::open && idle()) take_octets();
}

void Link::send(Waiting& waiting) {
  Sent& sent = waiting.sent;
  sent.id = free_id();
  in_flight_.emplace(sent.id, &waiting);
  waiting.link_ = this;
  ++live_;

  dns::OutgoingOptions options;
  options.id = sent.id;
  options.checking_disabled = waiting.ask.checking_disabled;
  options.dnssec_ok = waiting.ask.dnssec_ok;
  options.authentic_data = true;
  options.edns = sent.edns;
  options.keepalive = sent_ == 0;  // RFC 7828 §3.2.1: in the first query
  options.padding_block = terms_->tls ? 128 : 0;
  constexpr std::size_t length_size = 2;
  constexpr std::size_t query_max = 512;
  const std::size_t begin = outbox_.size();
  outbox_.resize(begin + length_size + query_max);
  const std::size_t size = dns::compose_query(
      sent.question, options, base::MutableBytes{outbox_}.subspan(begin + length_size));
  base::store_u16(&outbox_[begin], static_cast<std::uint16_t>(size));
  outbox_.resize(begin + length_size + size);
  ++sent_;
  wake_writer();
}

std::uint16_t Link::free_id() {
  std::uint16_t id = terms_->random.u16();
  // A link holds at most 65,000: a free one is never far away, and 2^16 is where the search would
  // end.
  while (in_flight_.contains(id)) id = terms_->random.u16();
  return id;
}

void Link::take_octets() {
  for (;;) {
    const ChannelResult read = connection_.read(*terms_->octets);
    const base::Bytes arrived = base::Bytes{*terms_->octets}.first(read.octets);
    frames_.feed(arrived);
    while (const auto message = frames_.next()) {
      if (!take_message(*message)) break;
    }
    if (closed()) return;
    frames_.keep();
    if (!frames_.sound())
      return close(LinkEnd::error, fail(Reason::closed, "a message of an impossible length"));
    switch (read.status) {
      case ChannelStatus::ok: continue;
      case ChannelStatus::want_read:
      case ChannelStatus::want_write: return wake_writer();
      case ChannelStatus::closed:
        return close(LinkEnd::peer,
                     fail(Reason::closed, frames_.empty() ? "closed before the reply"
                                                          : "closed in the middle of a reply"));
      case ChannelStatus::failed:
        return close(LinkEnd::error, fail(Reason::closed, connection_.failure_text()));
    }
  }
}

/// False when the link has ended over it.
bool Link::take_message(base::Bytes message) {
  last_message_at_ = base::Clock::now();
  ++received_;
  const auto found = in_flight_.find(base::load_u16(message.data()));
  if (found != in_flight_.end() && found->second == nullptr) {
    in_flight_.erase(found);  // late: nobody waits for it any more
    return true;
  }
  ReplyEdns edns;
  Judged judged;
  if (found != in_flight_.end()) judged = judge_stream_reply(message, found->second->sent, edns);
  if (judged.kind == ReplyKind::other) {
    terms_->metrics.mismatch();
    if (++strays_ <= strays_max) return true;
    close(LinkEnd::error, fail(Reason::closed, "replies to nothing that was asked"));
    return false;
  }
  Waiting& waiting = *found->second;
  if (judged.kind == ReplyKind::unreadable) {
    waiting.failure = fail(Reason::malformed, "malformed reply: " + judged.why);
    finish(waiting);
    close(LinkEnd::error, fail(Reason::closed, "a malformed reply"));
    return false;
  }
  waiting.judged = std::move(judged);
  finish(waiting);
  note_keepalive(edns);
  after_departure();
  return !closed();
}

void Link::note_keepalive(const ReplyEdns& edns) {
  if (!edns.keepalive) return;
  if (edns.keepalive->count() == 0) retired_ = true;  // RFC 7828 §3.2.2
  // We close before the server does, and never keep a link for longer than the operator wants.
  idle_timeout_ = std::min(terms_->upstream.idle_timeout, *edns.keepalive - *edns.keepalive / 8);
}

void Link::finish(Waiting& waiting) {
  in_flight_.erase(waiting.sent.id);
  --live_;
  waiting.link_ = nullptr;
  waiting.woken.cancel();
}

void Link::after_departure() {
  if (!idle()) return;
  idle_since_ = base::Clock::now();
  if (retired_ && state_ == State::open) close(LinkEnd::idle, fail(Reason::closed, "retired"));
}

void Link::leave(Waiting& waiting) {
  if (closed()) return;
  const auto found = in_flight_.find(waiting.sent.id);
  if (found == in_flight_.end() || found->second != &waiting) return;
  found->second = nullptr;
  --live_;
  // An upstream that never answers some questions would fill the link with them.
  if (in_flight_.size() - live_ > terms_->upstream.queries_per_link / 2) retired_ = true;
  after_departure();
}

void Link::doubt(const Waiting& waiting) {
  if (state_ != State::open || !silent_since(waiting.asked_at) || !connection_.unacknowledged())
    return;
  close(LinkEnd::error, fail(Reason::closed, "nothing gets through any more"));
}

void Link::timed_out(Waiting& waiting) {
  const bool silent = state_ == State::open && silent_since(waiting.asked_at);
  leave(waiting);
  waiting.link_ = nullptr;
  if (silent && !closed())
    close(LinkEnd::error, fail(Reason::closed, "silent until a query timed out"));
}

/// A link that has just opened had no time to say anything yet.
bool Link::silent_since(base::TimePoint when) const {
  return last_message_at_ < when && base::Clock::now() - opened_at_ >= terms_->upstream.timeout / 2;
}

void Link::retire() {
  retired_ = true;
  if (idle() && !closed()) close(LinkEnd::closing, fail(Reason::closing, "closing"));
}

void Link::close(LinkEnd end, Failure why) {
  if (closed()) return;
  if (state_ == State::open) terms_->metrics.disconnected(end);
  state_ = State::closed;
  closed_at_ = base::Clock::now();
  if (received_ == 0 && (end == LinkEnd::error || end == LinkEnd::peer)) barren_ = why;
  connection_.close();
  writer_timer_.cancel();
  for (const auto& [id, waiting] : in_flight_) {
    if (waiting == nullptr) continue;
    waiting->failure = why;
    waiting->link_ = nullptr;
    waiting->woken.cancel();
  }
  in_flight_.clear();
  live_ = 0;
}

}  // namespace transports
