// DoqCodec: a question to its stream, a stream to its reply.
#include "transports/upstreams/doq_codec.h"

#include <utility>

#include "dns/compose.h"
#include "transports/quic/doq.h"

namespace transports {

using quic::code_of;
using quic::DoqError;

/// RFC 9250 §4.2: servers open no streams.
std::shared_ptr<QuicTerms> DoqCodec::terms(const conf::Upstream& upstream,
                                           const UpstreamContext& context,
                                           std::shared_ptr<certs::ClientContext> client) {
  constexpr quic::StreamLimits limits{.bidirectional = 0,
                                      .unidirectional = 0,
                                      .stream_octets = quic::doq_frame_max,
                                      .octets = 16 * quic::doq_frame_max};
  return std::make_shared<QuicTerms>(upstream, context, std::move(client), limits,
                                     [](Link& link, quic::Streams& streams) -> QuicTerms::Made {
                                       auto made = std::make_unique<DoqCodec>(link, streams);
                                       DoqCodec* const asker = made.get();
                                       return {std::move(made), asker};
                                     });
}

DoqCodec::~DoqCodec() {
  streams_.clear_and_dispose([](Exchange* exchange) { delete exchange; });
}

std::uint64_t DoqCodec::no_error() const { return code_of(DoqError::no_error); }

void DoqCodec::transmit(Waiting& waiting) {
  auto* exchange = new Exchange;
  if (!connection_.open(*exchange)) {
    delete exchange;
    return link_.give_back(waiting, "the upstream allows no more streams now");
  }
  streams_.push_back(*exchange);
  exchange->waiting = &waiting;
  waiting.stream = exchange->id;

  waiting.sent.id = 0;  // RFC 9250 §4.2.1
  dns::OutgoingOptions options;
  options.padding_block = 128;  // RFC 8467 §4.1
  exchange->query.resize(frame_prefix_size + Waiting::query_max);
  const std::size_t size =
      waiting.compose(options, base::MutableBytes(exchange->query).subspan(frame_prefix_size));
  base::store_u16(exchange->query.data(), static_cast<std::uint16_t>(size));
  exchange->query.resize(frame_prefix_size + size);
  sending_.push_back(*exchange);
  connection_.schedule();
}

/// RFC 9250 §4.3.1: the upstream need not go on.
void DoqCodec::forget(Waiting& waiting) {
  quic::Stream* stream = connection_.find(waiting.stream);
  if (stream == nullptr || of(*stream).waiting != &waiting) return;
  of(*stream).waiting = nullptr;
  of(*stream).of_sending.unlink();
  connection_.reset(*stream, code_of(DoqError::request_cancelled));
  connection_.schedule();
}

void DoqCodec::forget_all() {
  for (Exchange& exchange : streams_) exchange.waiting = nullptr;
  sending_.clear();
}

// ---- replies

void DoqCodec::received(quic::Stream& stream, base::Bytes octets, bool fin, bool) {
  Exchange& exchange = of(stream);
  connection_.release(octets.size());
  if (exchange.waiting == nullptr) return;
  exchange.reply.insert(exchange.reply.end(), octets.begin(), octets.end());
  const std::size_t size = exchange.reply.size();
  if (size >= frame_prefix_size) {
    const std::size_t whole = frame_prefix_size + base::load_u16(exchange.reply.data());
    if (size == whole) return take_reply(exchange);
    if (size > whole)
      return link_.close(LinkEnd::error, link_.fail(Reason::closed, "more than one reply"));
  }
  if (fin) give_up(exchange, "ended a stream before the reply");
}

void DoqCodec::take_reply(Exchange& exchange) {
  link_.heard();
  Waiting& waiting = *std::exchange(exchange.waiting, nullptr);
  const base::Bytes message = base::Bytes(exchange.reply).subspan(frame_prefix_size);
  link_.take_own_reply(waiting, message);
}

void DoqCodec::give_up(Exchange& exchange, std::string_view why) {
  exchange.of_sending.unlink();
  if (Waiting* waiting = std::exchange(exchange.waiting, nullptr))
    link_.refuse(*waiting, link_.fail(Reason::closed, why));
}

void DoqCodec::reset_by_peer(quic::Stream& stream, std::uint64_t) {
  give_up(of(stream), "reset the stream of a query");
  connection_.reset(stream, code_of(DoqError::request_cancelled));
}

/// §4.3.1 is for clients; a server that wants no query may still have a reply to it.
void DoqCodec::stopped_by_peer(quic::Stream& stream) { of(stream).of_sending.unlink(); }

bool DoqCodec::closed(quic::Stream& stream) {
  Exchange& exchange = of(stream);
  give_up(exchange, "closed a stream before the reply");
  exchange.of_codec.unlink();
  delete &exchange;
  return true;
}

// ---- queries

quic::Output DoqCodec::next_output() {
  if (sending_.empty()) return {};
  Exchange& exchange = sending_.front();
  const auto rest = base::MutableBytes(exchange.query).subspan(exchange.sent);
  quic::Output output{.stream = &exchange, .parts = {}, .count = 1, .fin = true};
  output.parts[0] = {rest.data(), rest.size()};
  return output;
}

void DoqCodec::sent(quic::Stream& stream, std::size_t octets) {
  Exchange& exchange = of(stream);
  exchange.sent += octets;
  if (exchange.sent == exchange.query.size()) exchange.of_sending.unlink();
}

void DoqCodec::blocked(quic::Stream& stream) { of(stream).of_sending.unlink(); }

void DoqCodec::unblocked(quic::Stream& stream) {
  Exchange& exchange = of(stream);
  if (exchange.waiting != nullptr && exchange.sent != exchange.query.size() &&
      !exchange.of_sending.is_linked()) {
    sending_.push_back(exchange);
  }
}

void DoqCodec::unwritable(quic::Stream& stream) { of(stream).of_sending.unlink(); }

}  // namespace transports
