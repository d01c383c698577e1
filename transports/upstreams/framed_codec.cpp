// FramedCodec: ids are given, and taken back with the reply.
#include "transports/upstreams/framed_codec.h"

#include <utility>

#include "dns/compose.h"

namespace transports {

LinkMaker FramedCodec::links(const conf::Upstream& upstream, const UpstreamContext& context,
                             Secrets secrets) {
  return StreamLink::maker(std::make_shared<StreamTerms>(
      upstream, context, std::move(secrets), [](Link& link, StreamTerms& terms, const Connection&) {
        return std::make_unique<FramedCodec>(link, terms.reach.tls != nullptr);
      }));
}

bool FramedCodec::room() const {
  return in_flight_.size() < link_.terms().upstream.queries_per_link && outbox_.room();
}

void FramedCodec::transmit(Waiting& waiting) {
  Sent& sent = waiting.sent;
  sent.id = free_id();
  in_flight_.emplace(sent.id, &waiting);

  dns::OutgoingOptions options;
  options.keepalive = !std::exchange(greeted_, true);  // RFC 7828 §3.2.1: in the first query
  options.padding_block = encrypted_ ? 128 : 0;
  const base::MutableBytes space = outbox_.reserve(frame_prefix_size + Waiting::query_max);
  const std::size_t size = waiting.compose(options, space.subspan(frame_prefix_size));
  base::store_u16(space.data(), static_cast<std::uint16_t>(size));
  outbox_.commit(frame_prefix_size + size);
}

std::uint16_t FramedCodec::free_id() {
  Random& random = link_.terms().random;
  std::uint16_t id = random.u16();
  // A link holds at most 65,000: a free one is never far away, and 2^16 is where the search would
  // end.
  while (in_flight_.contains(id)) id = random.u16();
  return id;
}

void FramedCodec::forget(Waiting& waiting) {
  const auto found = in_flight_.find(waiting.sent.id);
  if (found == in_flight_.end() || found->second != &waiting) return;
  found->second = nullptr;
  // An upstream that never answers some questions would fill the link with them.
  if (++forgotten_ > link_.terms().upstream.queries_per_link / 2) link_.take_no_more();
}

void FramedCodec::take(base::Bytes octets) {
  frames_.feed(octets);
  while (const auto message = frames_.next()) {
    if (!take_message(*message)) return;
  }
  frames_.keep();
  if (!frames_.sound())
    link_.close(LinkEnd::error, link_.fail(Reason::closed, "a message of an impossible length"));
}

/// False when the link has ended over it.
bool FramedCodec::take_message(base::Bytes message) {
  link_.heard();
  const std::uint16_t id = base::load_u16(message.data());
  const auto found = in_flight_.find(id);
  Waiting* const waiting = found == in_flight_.end() ? nullptr : found->second;
  if (found != in_flight_.end() && waiting == nullptr) {  // late: nobody waits for it any more
    in_flight_.erase(found);
    --forgotten_;
    return true;
  }
  ReplyEdns edns;
  switch (link_.take_reply(waiting, message, edns)) {
    case Taken::reply: break;
    case Taken::stray: return true;
    case Taken::link_ended: return false;
  }
  in_flight_.erase(id);
  note_keepalive(edns);
  return !link_.closed();
}

void FramedCodec::note_keepalive(const ReplyEdns& edns) {
  if (!edns.keepalive) return;
  // We close before the server does.
  link_.set_idle_timeout(*edns.keepalive - *edns.keepalive / 8);
  if (edns.keepalive->count() == 0) link_.take_no_more();  // RFC 7828 §3.2.2
}

/// Over TLS each query is a record of its own: Knot DNS 3.4.6 answers the first of several in one
/// record, and the others when more octets come.
base::Bytes FramedCodec::next_to_write() {
  const base::Bytes waiting = outbox_.waiting();
  if (waiting.empty() || !encrypted_) return waiting;
  return waiting.first(frame_prefix_size + base::load_u16(waiting.data()));
}

std::string_view FramedCodec::end_of_stream() {
  return frames_.empty() ? "closed before the reply" : "closed in the middle of a reply";
}

}  // namespace transports
