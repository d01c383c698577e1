// StreamLink: one coroutine dials and reads, what is asked leaves when the turn ends, and another
// coroutine writes what the socket does not take then.
#include "transports/upstreams/stream_link.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

namespace transports {

StreamTerms::StreamTerms(const conf::Upstream& settings, const UpstreamContext& context,
                         Secrets secrets, MakeCodec make)
    : LinkTerms(settings, context),
      reach{upstream, std::move(secrets.tls), std::move(secrets.proxy_login), host},
      receive_buffer(context.receive_buffer),
      make_codec(std::move(make)),
      octets(std::make_unique_for_overwrite<Octets>()) {}

LinkMaker StreamLink::maker(std::shared_ptr<StreamTerms> terms) {
  return {terms, [terms](UnderWay& under_way) { return dial(terms, under_way); }};
}

std::shared_ptr<StreamLink> StreamLink::dial(std::shared_ptr<StreamTerms> terms,
                                             UnderWay& under_way) {
  const Executor executor = terms->executor;
  auto link = std::make_shared<StreamLink>(std::move(terms));
  boost::asio::co_spawn(executor, run(link, UnderWay::Mark(under_way)), boost::asio::detached);
  return link;
}

StreamLink::StreamLink(std::shared_ptr<StreamTerms> terms)
    : Link(terms),
      stream_terms_(*terms),
      connection_(terms->executor, terms->reach, terms->receive_buffer),
      turn_(Turn::of(terms->executor.context())),
      writer_timer_(terms->executor) {}

Awaitable<void> StreamLink::run(std::shared_ptr<StreamLink> self, UnderWay::Mark mark) {
  StreamTerms& terms = self->stream_terms_;
  const base::TimePoint limit = self->dialed_at() + terms.upstream.timeout;
  std::optional<Failure> failure = co_await self->connection_.open(limit);
  if (self->closed()) co_return;
  if (failure) {
    self->dial_failed(std::move(*failure));
    co_return;
  }
  self->codec_ = terms.make_codec(*self, terms, self->connection_);
  self->opened(terms.reach.tls && self->connection_.tls_facts().resumed);
  if (self->closed()) co_return;
  boost::asio::co_spawn(terms.executor, write_when_possible(self, mark), boost::asio::detached);
  self->turn_.at_end(*self);
  co_await self->read_all();
}

Awaitable<void> StreamLink::read_all() {
  for (;;) {
    {
      const Turn::Scope scope(turn_);
      take_arrived();
    }
    if (closed()) co_return;
    co_await connection_.readable(next_look());
    if (closed()) co_return;
    close_if_idle();
  }
}

/// What the socket did not take at the end of a turn.
Awaitable<void> StreamLink::write_when_possible(std::shared_ptr<StreamLink> self,
                                                UnderWay::Mark mark) {
  for (;;) {
    if (!self->write_blocked_) co_await sleep_until(self->writer_timer_, base::TimePoint::max());
    if (self->closed()) co_return;
    co_await self->connection_.writable(base::TimePoint::max());
    if (self->closed()) co_return;
    self->write_blocked_ = false;
    self->flush();
  }
}

/// What is asked in one turn leaves in one write.
void StreamLink::at_end_of_turn() {
  if (closed() || write_blocked_) return;
  flush();
  if (write_blocked_) writer_timer_.cancel();
}

void StreamLink::flush() {
  ChannelStatus status = ChannelStatus::ok;
  while (status == ChannelStatus::ok) {
    const base::Bytes next = codec_->next_to_write();
    if (next.empty() || closed()) return;
    const ChannelResult written = connection_.write(next);
    codec_->written(written.octets);
    status = written.status;
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

void StreamLink::transmit(Waiting& waiting) {
  codec_->transmit(waiting);
  turn_.at_end(*this);
}

void StreamLink::forget(Waiting& waiting) {
  codec_->forget(waiting);
  turn_.at_end(*this);
}

void StreamLink::take_arrived() {
  for (;;) {
    const ChannelResult read = connection_.read(*stream_terms_.octets);
    codec_->take(base::Bytes{*stream_terms_.octets}.first(read.octets));
    if (closed()) return;
    switch (read.status) {
      case ChannelStatus::ok: continue;
      case ChannelStatus::want_read:
      case ChannelStatus::want_write: return turn_.at_end(*this);
      case ChannelStatus::closed:
        return close(LinkEnd::peer, fail(Reason::closed, codec_->end_of_stream()));
      case ChannelStatus::failed:
        return close(LinkEnd::error, fail(Reason::closed, connection_.failure_text()));
    }
  }
}

bool StreamLink::room() const {
  return codec_ ? codec_->room() : idle() || !stream_terms_.one_at_a_time;
}

void StreamLink::disconnect() {
  if (codec_) codec_->say_goodbye();
  while (connection_.is_open()) {
    const base::Bytes next = codec_->next_to_write();
    const ChannelResult written = connection_.write(next);
    codec_->written(written.octets);
    if (next.empty() || written.status != ChannelStatus::ok) break;
  }
  connection_.close();
  writer_timer_.cancel();
}

}  // namespace transports
