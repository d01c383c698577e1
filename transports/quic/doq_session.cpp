// Queries from streams, answers to streams.
#include "transports/quic/doq_session.h"

#include <algorithm>
#include <utility>

namespace transports::quic {

namespace {

// A client that has so much waiting for it and does not read is given up.
constexpr std::size_t unsent_max = std::size_t{512} * 1024;
constexpr std::size_t stock_max = 256;
// What a stream in stock keeps.
constexpr std::size_t kept_capacity_max = 2048;

}  // namespace

// ---- the stock

std::unique_ptr<DoqStream> DoqWorkspace::take() {
  if (stock.empty()) return std::make_unique<DoqStream>();
  std::unique_ptr<DoqStream> stream = std::move(stock.back());
  stock.pop_back();
  return stream;
}

void DoqWorkspace::put(std::unique_ptr<DoqStream> stream) {
  if (stock.size() >= stock_max || stream->answer.capacity() > kept_capacity_max ||
      stream->query.capacity() > kept_capacity_max) {
    return;
  }
  stream->query.clear();
  stream->answer.clear();
  stream->sent = 0;
  stream->asked = stream->answered = stream->abandoned = false;
  stock.push_back(std::move(stream));
}

// ---- the session

DoqSession::DoqSession(Streams& connection, ListenerContext& context, DoqWorkspace& work,
                       conf::Protocol protocol, std::uint16_t listener)
    : Inquirer(context),
      connection_(connection),
      work_(work),
      protocol_(protocol),
      listener_(listener),
      share_(context.waiting.octets) {}

DoqSession::~DoqSession() {
  streams_.clear_and_dispose([](DoqStream* stream) { delete stream; });
}

Stream* DoqSession::accept(StreamId) {
  DoqStream* stream = work_.take().release();
  streams_.push_back(*stream);
  stream->since = base::Clock::now();
  be_patient(*stream);
  return stream;
}

/// RFC 9250 §4.2: the query, its length before it, then FIN; nothing else.
void DoqSession::received(Stream& any, base::Bytes octets, bool fin, bool early) {
  DoqStream& stream = of(any);
  if (stream.abandoned) return connection_.release(octets.size());
  if (stream.asked) {
    connection_.release(octets.size());
    if (!octets.empty()) close(DoqError::protocol_error);  // §4.3.3: a second query
    return;
  }
  base::Bytes frame = octets;
  const bool in_pieces = !stream.query.empty();
  if (in_pieces) {
    stream.query.insert(stream.query.end(), octets.begin(), octets.end());
    frame = stream.query;
  }
  switch (judge(frame, fin)) {
    case Whole::wrong: return close(DoqError::protocol_error);
    case Whole::no:
      // Kept as it comes, never reserved by the length that was promised (CVE-2026-32665); what one
      // connection may have kept is bounded by the credit that drop_query() gives back.
      if (!in_pieces) stream.query.assign(octets.begin(), octets.end());
      return;
    case Whole::yes: break;
  }
  ask(stream, frame.subspan(frame_prefix_size), early);
  if (in_pieces) return drop_query(stream);
  connection_.release(octets.size());
}

DoqSession::Whole DoqSession::judge(base::Bytes frame, bool fin) {
  const auto more = fin ? Whole::wrong : Whole::no;  // §4.3.3: FIN before the promised octets
  if (frame.size() < frame_prefix_size) return more;
  const std::size_t size = frame_prefix_size + base::load_u16(frame.data());
  if (frame.size() < size) return more;
  return frame.size() == size ? Whole::yes : Whole::wrong;
}

void DoqSession::ask(DoqStream& stream, base::Bytes message, bool early) {
  stream.asked = true;
  Query& query = work_.query;
  query.verdict = dns::parse_request(message, query.request);
  if (query.verdict == dns::Verdict::drop) {
    context_.drops.not_a_query.add();
    return close(DoqError::protocol_error);
  }
  // §4.2.1: the id is 0. §5.5.2: no keepalive option, as QUIC has its own.
  if (query.request.id != 0 || query.request.edns.keepalive) return close(DoqError::protocol_error);
  if (early && !dns::is_replayable(query.request.opcode()))
    query.verdict = dns::Verdict::too_early;  // §4.5
  query.arrive(protocol_, listener_, connection_.peer(), base::Clock::now(),
               context_.limits.query_timeout);
  stream.of_patience.unlink();

  Reply reply{
      .out = base::MutableBytes(work_.reply).subspan(frame_prefix_size), .size = 0, .summary = {}};
  if (Inquirer::ask(query, reply, static_cast<std::uint64_t>(stream.id)) == Asked::later) return;
  give(stream, reply.out.first(reply.size));
}

/// A client may not have more under way by resetting streams: its credit for one comes back when
/// there is nothing left of it.
void DoqSession::on_late_answer(std::uint64_t ticket, const LateAnswer& answer) {
  Stream* found = connection_.find(static_cast<StreamId>(ticket));
  if (found == nullptr) {
    context_.drops.client_gone.add();
    connection_.grant_stream();
  } else if (of(*found).abandoned) {
    context_.drops.client_gone.add();
    of(*found).answered = true;  // its credit comes back when it closes
  } else {
    give(of(*found), answer.wire);
  }
  connection_.schedule();
}

void DoqSession::give(DoqStream& stream, base::Bytes message) {
  stream.answered = true;
  if (message.empty()) return end(stream, DoqError::internal_error);  // §4.3.2
  stream.answer.resize(frame_prefix_size);
  base::store_u16(stream.answer.data(), static_cast<std::uint16_t>(message.size()));
  stream.answer.insert(stream.answer.end(), message.begin(), message.end());
  unsent_ += stream.answer.size();
  const bool hoards = unsent_ > unsent_max;
  if (hoards || !share_.hold(unsent_)) {
    (hoards ? context_.drops.slow_client : context_.drops.octet_limit).add();
    return close(DoqError::excessive_load);
  }
  sending_.push_back(stream);
  stream.since = base::Clock::now();
  be_patient(stream);
}

// ---- answers out

Output DoqSession::next_output() {
  if (sending_.empty()) return {};
  DoqStream& stream = sending_.front();
  const auto rest = base::MutableBytes(stream.answer).subspan(stream.sent);
  Output output{.stream = &stream, .parts = {}, .count = 1, .fin = true};
  output.parts[0] = {rest.data(), rest.size()};
  return output;
}

void DoqSession::sent(Stream& any, std::size_t octets) {
  DoqStream& stream = of(any);
  stream.sent += octets;
  unsent_ -= octets;
  share_.hold(unsent_);
  if (stream.sent == stream.answer.size()) stream.of_sending.unlink();
}

void DoqSession::blocked(Stream& stream) { of(stream).of_sending.unlink(); }

void DoqSession::unblocked(Stream& any) {
  DoqStream& stream = of(any);
  if (stream.abandoned || stream.sent == stream.answer.size() || stream.of_sending.is_linked())
    return;
  sending_.push_back(stream);
}

void DoqSession::unwritable(Stream& stream) { abandon(of(stream)); }

// ---- ends of streams

/// §4.3.1: before its FIN, the query is abandoned with it; behind it, nothing has happened.
void DoqSession::reset_by_peer(Stream& any, std::uint64_t) {
  end(of(any), DoqError::request_cancelled);
}

void DoqSession::stopped_by_peer(Stream& any) { end(of(any), DoqError::request_cancelled); }

void DoqSession::end(DoqStream& stream, DoqError error) {
  abandon(stream);
  connection_.reset(stream, code_of(error));
}

/// The answer's memory stays until the stream has closed: packets may refer to it.
void DoqSession::abandon(DoqStream& stream) {
  if (std::exchange(stream.abandoned, true)) return;
  stream.of_sending.unlink();
  unsent_ -= stream.answer.size() - stream.sent;
  share_.hold(unsent_);
  drop_query(stream);
}

void DoqSession::drop_query(DoqStream& stream) {
  if (stream.query.empty()) return;
  connection_.release(stream.query.size());
  stream.query = {};
}

bool DoqSession::closed(Stream& any) {
  DoqStream& stream = of(any);
  abandon(stream);
  const bool is_waited_for = stream.asked && !stream.answered;
  stream.of_session.unlink();
  stream.of_patience.unlink();
  work_.put(std::unique_ptr<DoqStream>(&stream));
  return !is_waited_for;
}

// ---- clients that hold a stream up

/// Every stream has the same patience, so that the first of the list is the first to lose it.
void DoqSession::be_patient(DoqStream& stream) {
  const bool first = patience_.empty();
  stream.of_patience.unlink();
  patience_.push_back(stream);
  if (first) context_.timers.set(*this, stream.since + context_.limits.message_timeout);
}

void DoqSession::on_deadline(base::TimePoint now) {
  while (!patience_.empty()) {
    DoqStream& stream = patience_.front();
    const base::TimePoint until = stream.since + context_.limits.message_timeout;
    if (until > now) return context_.timers.set(*this, until);
    stream.of_patience.unlink();
    context_.drops.slow_client.add();
    end(stream, DoqError::unspecified_error);
    connection_.schedule();
  }
}

}  // namespace transports::quic
