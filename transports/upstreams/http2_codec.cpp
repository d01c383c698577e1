// Http2Codec: what the session tells is kept until its call is over, for a link may end over it.
#include "transports/upstreams/http2_codec.h"

#include <algorithm>
#include <array>
#include <format>
#include <utility>

namespace transports {

/// Lives until the session is done with its stream.
struct Http2Codec::Exchange : http2::Stream {
  Exchange(Waiting& waiting, const DohTarget& target) : ask(waiting, target) {}

  DohAsk ask;
  bool whole = false;
  bool too_large = false;
  std::uint32_t code = 0;
};

Http2Codec::Http2Codec(Link& link, const DohTarget& target, http2::Memory& memory)
    : link_(link), target_(target), session_(http2::Role::client, *this, memory, {}) {}

Http2Codec::~Http2Codec() = default;

bool Http2Codec::room() const { return session_.room_for_requests() > 0 && outbox_.room(); }

void Http2Codec::transmit(Waiting& waiting) {
  auto exchange = std::make_unique<Exchange>(waiting, target_);
  Exchange& made = *exchange;
  const DohAsk& ask = made.ask;
  constexpr std::size_t pseudo_fields = 4;
  std::array<HttpField, pseudo_fields + 3> fields{{{":method", ask.method(), true},
                                                   {":scheme", "https", true},
                                                   {":authority", ask.authority(), true},
                                                   {":path", ask.path(), false}}};
  const auto end = std::ranges::copy(ask.fields(), fields.begin() + pseudo_fields).out;
  if (!session_.request(made, {fields.begin(), end}, ask.body()))
    return link_.give_back(waiting, "no more questions over this connection");
  waiting.stream = made.id();
  exchanges_.emplace(made.id(), std::move(exchange));
}

void Http2Codec::forget(Waiting& waiting) {
  Exchange& exchange = *exchanges_.at(static_cast<std::int32_t>(waiting.stream));
  exchange.ask.waiting = nullptr;
  session_.reset(exchange, http2::Code::cancel);
}

void Http2Codec::take(base::Bytes octets) {
  session_.take(octets, base::Clock::now());
  settle();
}

base::Bytes Http2Codec::next_to_write() {
  if (outbox_.waiting().empty()) {
    session_.write_to(*this);
    settle();  // streams end in here, too: those that may not begin any more, and those we reset
  }
  return outbox_.waiting();
}

void Http2Codec::settle() {
  for (const std::unique_ptr<Exchange>& exchange : std::exchange(ended_, {})) {
    if (exchange->ask.waiting != nullptr) settle(*exchange);
    if (link_.closed()) return;
  }
  if (going_away_) link_.take_no_more();
  if (link_.closed()) return;
  switch (session_.abuse()) {
    case http2::Abuse::none: break;
    case http2::Abuse::protocol:
      return link_.close(LinkEnd::error, link_.fail(Reason::closed, "HTTP/2 that is none"));
    default:
      return link_.close(LinkEnd::error, link_.fail(Reason::closed, "a flood of HTTP/2 frames"));
  }
  if (session_.over()) link_.close(LinkEnd::peer, link_.fail(Reason::closed, "HTTP/2 has ended"));
}

void Http2Codec::settle(Exchange& exchange) {
  if (exchange.whole) return exchange.ask.deliver(link_);
  Waiting& waiting = *std::exchange(exchange.ask.waiting, nullptr);
  if (exchange.too_large)
    return link_.refuse(waiting, link_.fail(Reason::malformed, "more than a DNS message"));
  if (exchange.code == static_cast<std::uint32_t>(http2::Code::refused_stream))
    return link_.give_back(waiting, "HTTP/2 stream not processed");
  // The connection lives: a fresh one would not help.
  Failure failure =
      link_.fail(Reason::closed, std::format("HTTP/2 stream reset, code {}", exchange.code));
  failure.error.retry = base::Retry::other_upstream;
  link_.refuse(waiting, std::move(failure));
}

void Http2Codec::say_goodbye() { session_.terminate(http2::Code::no_error); }

void Http2Codec::on_field(http2::Stream& stream, std::string_view name, std::string_view value) {
  static_cast<Exchange&>(stream).ask.on_field(name, value);
}

void Http2Codec::on_too_many_fields(http2::Stream& stream) {
  static_cast<Exchange&>(stream).ask.on_too_many_fields();
}

void Http2Codec::on_content(http2::Stream& stream, base::Bytes octets) {
  auto& exchange = static_cast<Exchange&>(stream);
  if (exchange.too_large || exchange.ask.on_content(octets)) return;
  exchange.too_large = true;
  session_.reset(exchange, http2::Code::cancel);
}

void Http2Codec::on_whole(http2::Stream& stream) { static_cast<Exchange&>(stream).whole = true; }

void Http2Codec::on_closed(http2::Stream& stream, std::uint32_t code) {
  auto& exchange = static_cast<Exchange&>(stream);
  exchange.code = code;
  const auto found = exchanges_.find(exchange.id());
  ended_.push_back(std::move(found->second));
  exchanges_.erase(found);
}

void Http2Codec::on_goaway(std::int32_t /*last*/, std::uint32_t /*code*/) {
  if (!std::exchange(going_away_, true)) link_.terms().metrics.goaway();
}

}  // namespace transports
