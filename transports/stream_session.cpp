// Stream sessions. Everything that happens to one goes through advance(), and ends in settle().
#include "transports/stream_session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "certs/store.h"
#include "certs/tls_context.h"
#include "transports/framed_session.h"
#include "transports/http1/server_session.h"
#include "transports/http2/server_session.h"

namespace transports {

namespace {

// Other sessions have their turn after this many reads, however much a client sends.
constexpr int reads_per_wake_up = 8;
// A client that has so much waiting for it and does not read is given up.
constexpr std::size_t unsent_max = std::size_t{512} * 1024;
// A session that has said its last words waits so long, and for so much, for the client's end.
constexpr std::chrono::seconds linger_time{1};
constexpr std::size_t lingered_max = std::size_t{1024} * 1024;
// As much must be taken in each `message_timeout` by a client that is slow to read.
constexpr std::size_t progress_min = std::size_t{16} * 1024;
// As much of it as no other protocol begins with (RFC 9113 §3.4).
constexpr std::string_view http2_preface = "PRI * HTTP/2";

}  // namespace

StreamSession::Host::Host(ListenerContext& listener_context, conf::Protocol protocol_served,
                          std::uint16_t listener_index)
    : context(listener_context),
      protocol(protocol_served),
      index(listener_index),
      handshakes(listener_context.metrics, conf::row_of(protocol_served).name),
      turn(Turn::of(listener_context.io)) {}

StreamSession::StreamSession(Host& host, int descriptor, const base::Endpoint& client,
                             SessionPlace place)
    : host_(host),
      place_(std::move(place)),
      socket_(host.context.io.get_executor(),
              client.address.is_v4() ? boost::asio::ip::tcp::v4() : boost::asio::ip::tcp::v6(),
              descriptor),
      client_(client),
      share_(host.context.waiting.octets) {}

StreamSession::~StreamSession() = default;

void StreamSession::start(base::TimePoint now) {
  idle_since_ = now;
  if (!conf::row_of(host_.protocol).encrypted) {
    channel_.emplace(socket_.native_handle());
    if (host_.protocol != conf::Protocol::http) begin(false);
  }
  settle(now);
}

void StreamSession::advance(bool readable) {
  base::TimePoint now{};
  if (lingering_ && !ended_) linger();
  if (!ended_ && !lingering_ && (open_ || shake_hands())) {
    // The client's first query may have come with the end of its handshake.
    const bool just_opened = !open_;
    if (just_opened) begin(asks_for_http2());
    const Batch turn(host_.context.answerer);
    now = turn.now();
    converse(readable || just_opened, now);
  } else {
    now = base::Clock::now();
  }
  settle(now);
}

void StreamSession::on_arrival(const boost::system::error_code& error, std::size_t octets) {
  read_waits_ = false;
  arrived_ += octets;
  // An end of file is read again by the channel; a reset is told once.
  if (error && (error != boost::asio::error::eof || !open_) && !ended_) {
    if (!open_ && conf::row_of(host_.protocol).encrypted) host_.handshakes.failed("failed");
    end();
  }
  advance(true);
}

void StreamSession::feed_arrival() {
  const std::size_t octets = std::exchange(arrived_, 0);
  if (octets != 0) channel_->feed(base::Bytes{arrival_}.first(octets), octets < arrival_.size());
}

/// True when done. Otherwise it goes on later, or the session has ended: what does not speak TLS
/// gets no DNS (RFC 7858 §3.1).
bool StreamSession::shake_hands() {
  if (!conf::row_of(host_.protocol).encrypted)
    return arrived_ >= http2_preface.size() || !http2_preface.starts_with(arrived_text());
  if (!channel_) {
    certs::SslPtr tls = host_.context.certificates->make_session(
        host_.protocol == conf::Protocol::doh ? certs::alpn_http : certs::alpn_dot);
    if (!tls) {
      end();
      return false;
    }
    channel_.emplace(socket_.native_handle(), std::move(tls), host_.context.streams.received);
  }
  feed_arrival();
  switch (channel_->handshake().status) {
    case ChannelStatus::ok:
      host_.handshakes.succeeded(channel_->facts());
      certs::forget_key_share(*channel_->tls());
      return true;
    case ChannelStatus::want_read: read_wants_write_ = false; return false;
    case ChannelStatus::want_write: read_wants_write_ = true; return false;
    case ChannelStatus::closed:
    case ChannelStatus::failed: break;
  }
  host_.handshakes.failed("failed");
  end();
  return false;
}

void StreamSession::converse(bool readable, base::TimePoint now) {
  StreamWorkspace& work = host_.context.streams;
  work.output_used = 0;
  work.output_records.clear();
  now_ = now;
  if (stalled_) send(now);
  if (!ended_) codec_->go_on(now);
  // While a receive waits, what it gets comes first.
  readable = !read_waits_ && (readable || more_inside_ || arrived_ != 0);
  for (int reads = 0; readable && !ended_ && may_read(); ++reads) {
    if (reads == reads_per_wake_up) {
      schedule();
      break;
    }
    feed_arrival();
    work.input_records.clear();
    const ChannelResult result = channel_->read(work.input, &work.input_records);
    if (result.octets != 0) take({work.input.data(), result.octets}, now);
    more_inside_ = result.status == ChannelStatus::ok;
    read_wants_write_ = result.status == ChannelStatus::want_write;
    read_closed_ = result.status == ChannelStatus::closed;
    if (result.status == ChannelStatus::failed) end();
    if (!more_inside_) break;
  }
  if (work.output_used != 0 || (!unsent_.empty() && !stalled_)) {
    send(now);
  } else if (!ended_ && codec_->owed_since() != base::TimePoint::max()) {
    acknowledge();
  }
}

/// There are clients that send the rest of a message when they know that its beginning has come
/// (RFC 896), and the kernel would wait 40 ms for an answer that can carry its acknowledgement (RFC
/// 1122 §4.2.3.2).
void StreamSession::acknowledge() {
  const int now = 1;
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &now, sizeof now);
}

void StreamSession::take(base::Bytes octets, base::TimePoint now) {
  if (codec_->keeps_records_apart()) {
    std::size_t taken = 0;
    for (const std::size_t end : host_.context.streams.input_records.all()) {
      if (end == octets.size() || ended_) break;
      codec_->take(octets.subspan(taken, end - taken), now);
      end_record();
      taken = end;
    }
    octets = octets.subspan(taken);
  }
  if (!ended_) codec_->take(octets, now);
}

/// By the handshake; in the clear by the first octets (RFC 9113 §3.2 and §3.3).
bool StreamSession::asks_for_http2() const {
  if (channel_->encrypted()) return channel_->facts().alpn == "h2";
  return arrived_text().starts_with(http2_preface);
}

void StreamSession::begin(bool http2) {
  open_ = true;
  Carrier& carrier = *this;
  if (host_.protocol != conf::Protocol::doh && host_.protocol != conf::Protocol::http) {
    codec_ = std::make_unique<FramedSession>(carrier);
  } else if (http2) {
    codec_ = std::make_unique<http2::ServerSession>(carrier);
  } else {
    codec_ = std::make_unique<http1::ServerSession>(carrier);  // RFC 9113 §3.2: or no wish at all
  }
}

base::MutableBytes StreamSession::room() {
  StreamWorkspace& work = host_.context.streams;
  return base::MutableBytes{work.output}.subspan(work.output_used);
}

void StreamSession::put(std::size_t octets) {
  StreamWorkspace& work = host_.context.streams;
  work.output_used += octets;
  if (work.output_used >= StreamWorkspace::output_flush) send(now_);
}

void StreamSession::end_record() {
  StreamWorkspace& work = host_.context.streams;
  if (work.output_used != 0) work.output_records.add(work.output_used);
}

void StreamSession::introduce(Query& query, base::TimePoint now) const {
  const conf::Limits& limits = host_.context.limits;
  query.arrive(host_.protocol, host_.index, client_, now, limits.query_timeout);
  query.sessions_scarce = host_.context.sessions.nearly_full(limits.sessions);
}

/// Hands all that is ready to the channel in one call.
void StreamSession::send(base::TimePoint now) {
  if (ended_) return;
  StreamWorkspace& work = host_.context.streams;
  base::Bytes ready{work.output.data(), std::exchange(work.output_used, 0)};
  const bool kept = !unsent_.empty();
  if (kept) {
    unsent_.insert(unsent_.end(), ready.begin(), ready.end());
    ready = base::Bytes(unsent_).subspan(unsent_from_);
  }
  const ChannelResult result = kept ? channel_->write(ready) : write_apart(ready);
  work.output_records.clear();
  if (result.status == ChannelStatus::failed) return end();
  const base::Bytes rest = ready.subspan(result.octets);
  if (rest.empty()) {
    if (kept) unsent_ = {};
    unsent_from_ = 0;
    if (result.status == ChannelStatus::ok) {
      stalled_ = false;
      return;
    }
  } else if (kept) {
    unsent_from_ += result.octets;
    if (unsent_from_ > unsent_.size() / 2) {
      unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(unsent_from_));
      unsent_from_ = 0;
    }
  } else {
    unsent_.assign(rest.begin(), rest.end());
  }
  sent_since_stall_ += result.octets;
  if (!stalled_ || sent_since_stall_ >= progress_min) {
    stalled_since_ = now;
    sent_since_stall_ = 0;
  }
  stalled_ = true;
}

ChannelResult StreamSession::write_apart(base::Bytes ready) {
  std::size_t total = 0;
  for (const std::size_t end : host_.context.streams.output_records.all()) {
    if (end == total || end == ready.size()) continue;
    const ChannelResult result = channel_->write(ready.subspan(total, end - total), true);
    total += result.octets;
    if (result.status != ChannelStatus::ok) return {result.status, total};
  }
  const ChannelResult result = channel_->write(ready.subspan(total));
  return {result.status, total + result.octets};
}

/// Decides what is waited for, or that it is over. Nothing may touch the session after this.
void StreamSession::settle(base::TimePoint now) {
  if (!ended_ && open_ && !lingering_) {
    if (is_done()) {
      leave(now);
    } else if (unsent_.size() - unsent_from_ + codec_->kept() > unsent_max) {
      host_.context.drops.slow_client.add();
      end();
    } else if (!share_.hold(unsent_.size() + channel_->unsent())) {
      host_.context.drops.octet_limit.add();
      end();
    }
  }
  if (ended_) {
    codec_.reset();
    if (!read_waits_ && !write_waits_) host_.on_end(*this);
    return;
  }
  if (has_work()) {
    had_work_ = true;
  } else if (std::exchange(had_work_, false)) {
    idle_since_ = now;
  }
  wait_for_what_is_wanted();
  set_deadline();
  of_idle.unlink();
  if (!has_work()) host_.context.streams.idle.push_back(*this);
}

bool StreamSession::is_done() const {
  if (codec_->is_over()) return unsent_.empty() && !stalled_;
  return (read_closed_ || draining_) && !has_work();
}

/// In order. A protocol that came to its end has said why, and a socket that is closed over unread
/// octets takes that back (RFC 9112 §9.6): what still comes is thrown away for a while.
void StreamSession::leave(base::TimePoint now) {
  channel_->shutdown();
  if (!codec_->is_over() || read_closed_) return end();
  ::shutdown(socket_.native_handle(), SHUT_WR);
  lingering_ = true;
  more_inside_ = false;
  codec_.reset();
  idle_since_ = now;
}

void StreamSession::linger() {
  StreamWorkspace& work = host_.context.streams;
  lingered_ += std::exchange(arrived_, 0);
  for (int reads = 0; reads < reads_per_wake_up; ++reads) {
    const ssize_t count =
        ::recv(socket_.native_handle(), work.input.data(), work.input.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
    if (count > 0) lingered_ += static_cast<std::size_t>(count);
    if (count <= 0 || lingered_ > lingered_max) return end();
  }
}

void StreamSession::wait_for_what_is_wanted() {
  const bool write_wanted = stalled_ || read_wants_write_;
  const bool read_wanted = lingering_ || (!read_wants_write_ && (!open_ || may_read()));
  if (read_wanted && (more_inside_ || (open_ && arrived_ != 0))) {
    schedule();
  } else if (read_wanted && !read_waits_) {
    read_waits_ = true;
    // Behind the beginning of a preface, where that is all that came.
    socket_.async_read_some(
        boost::asio::buffer(arrival_) + arrived_,
        [this](boost::system::error_code error, std::size_t octets) { on_arrival(error, octets); });
  }
  if (write_wanted && !write_waits_) {
    write_waits_ = true;
    socket_.async_wait(Socket::wait_write, [this](boost::system::error_code) {
      write_waits_ = false;
      advance(std::exchange(read_wants_write_, false));
    });
  }
}

/// While queries are under way, their own deadlines bound the session.
void StreamSession::set_deadline() {
  const conf::Limits& limits = host_.context.limits;
  TimerWheel& timers = host_.context.timers;
  if (lingering_) return timers.set(*this, idle_since_ + linger_time);
  if (!open_) return timers.set(*this, idle_since_ + limits.handshake_timeout);
  if (stalled_) return timers.set(*this, stalled_since_ + limits.message_timeout);
  const base::TimePoint owed_since = codec_->owed_since();
  if (owed_since != base::TimePoint::max())
    return timers.set(*this, owed_since + limits.message_timeout);
  if (has_work()) return timers.clear(*this);
  timers.set(*this, idle_since_ + limits.idle_timeout);
}

void StreamSession::on_deadline(base::TimePoint now) {
  if (!open_) {
    if (conf::row_of(host_.protocol).encrypted) host_.handshakes.failed("timeout");
    end();
  } else if (lingering_) {
    end();
  } else if (stalled_ || codec_->owed_since() != base::TimePoint::max()) {
    host_.context.drops.slow_client.add();
    say_last(&SessionCodec::too_slow, now);
  } else {
    say_last(&SessionCodec::drain, now);
  }
  settle(now);
}

/// Has the session advanced in this round of the loop, together with all others that have something
/// to send: what else gets ready until then leaves in the same write.
void StreamSession::schedule() {
  StreamWorkspace& work = host_.context.streams;
  if (ended_ || of_due.is_linked()) return;
  work.due.push_back(*this);
  host_.turn.at_end(work);
}

void StreamSession::drain() {
  draining_ = true;
  if (!open_ || lingering_) {
    end();
  } else if (!ended_) {
    codec_->drain();
    if (codec_->has_work()) schedule();
  }
  settle(base::Clock::now());
}

void StreamSession::end_politely() {
  const base::TimePoint now = base::Clock::now();
  if (open_ && !ended_ && !lingering_) say_last(&SessionCodec::drain, now);
  end();
  settle(now);
}

/// In the words of what is spoken, then in the channel's.
void StreamSession::say_last(void (SessionCodec::*words)(), base::TimePoint now) {
  StreamWorkspace& work = host_.context.streams;
  {
    const Batch turn(host_.context.answerer);
    work.output_used = 0;
    work.output_records.clear();
    now_ = now;
    (codec_.get()->*words)();
    codec_->go_on(now);
    if (work.output_used != 0) send(now);
  }
  if (!ended_ && !stalled_) channel_->shutdown();
  end();
}

void StreamSession::end() {
  if (std::exchange(ended_, true)) return;
  host_.context.timers.clear(*this);
  of_idle.unlink();
  of_due.unlink();
  place_.reset();
  boost::system::error_code ignored;
  socket_.close(ignored);  // the waits end now; settle() sees to the rest
}

}  // namespace transports
