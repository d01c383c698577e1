// Http3Codec: a question to its request, a response to its reply. A question that has its reply is
// told so at once; its stream is kept until nothing refers to it.
#include "transports/upstreams/http3_codec.h"

#include <algorithm>
#include <array>
#include <format>
#include <utility>
#include <vector>

namespace transports {

namespace {

constexpr std::size_t response_window = 65536;

/// What the codecs of an upstream share.
struct Shared {
  explicit Shared(const conf::Upstream& upstream) : target(upstream) {}

  DohTarget target;
  LibraryMemory memory;
};

}  // namespace

struct Http3Codec::Exchange final : http3::Stream {
  Exchange(Waiting& waiting, const DohTarget& target) : ask(waiting, target) {}

  DohAsk ask;
};

std::shared_ptr<QuicTerms> Http3Codec::terms(const conf::Upstream& upstream,
                                             const UpstreamContext& context,
                                             std::shared_ptr<certs::ClientContext> client) {
  constexpr quic::StreamLimits limits{.bidirectional = 0,
                                      .unidirectional = peers_streams_max,
                                      .stream_octets = response_window,
                                      .octets = 16 * response_window};
  auto shared = std::make_shared<Shared>(upstream);
  return std::make_shared<QuicTerms>(
      upstream, context, std::move(client), limits,
      [shared](Link& link, quic::Streams& streams) -> QuicTerms::Made {
        auto made = std::make_unique<Http3Codec>(link, streams, shared->target, shared->memory);
        Http3Codec* const asker = made.get();
        return {std::move(made), asker};
      });
}

Http3Codec::Http3Codec(Link& link, quic::Streams& streams, const DohTarget& target,
                       LibraryMemory& memory)
    : Session(http3::Role::client, streams, memory, link.terms().upstream.queries_per_link),
      link_(link),
      target_(target) {}

Http3Codec::~Http3Codec() = default;

void Http3Codec::transmit(Waiting& waiting) {
  auto exchange = std::make_unique<Exchange>(waiting, target_);
  Exchange& made = *exchange;
  const DohAsk& ask = made.ask;
  constexpr std::size_t pseudo_fields = 4;
  std::array<HttpField, pseudo_fields + 3> fields{{{":method", ask.method(), true},
                                                   {":scheme", "https", true},
                                                   {":authority", ask.authority(), true},
                                                   {":path", ask.path(), false}}};
  const auto end = std::ranges::copy(ask.fields(), fields.begin() + pseudo_fields).out;
  const bool asked = request(made, {fields.begin(), end}, ask.body());
  if (made.id >= 0) exchanges_.emplace(made.id, std::move(exchange));  // the connection knows it
  if (!asked) {
    made.ask.waiting = nullptr;
    return link_.give_back(waiting, "no more questions over this connection");
  }
  waiting.stream = made.id;
  streams_.schedule();
}

/// RFC 9114 §4.1.1: the upstream need not go on.
void Http3Codec::forget(Waiting& waiting) {
  const auto found = exchanges_.find(waiting.stream);
  if (found == exchanges_.end() || found->second->ask.waiting != &waiting) return;
  found->second->ask.waiting = nullptr;
  reset(*found->second, http3::Code::request_cancelled);
  streams_.schedule();
}

void Http3Codec::forget_all() {
  for (auto& [id, exchange] : exchanges_) exchange->ask.waiting = nullptr;
}

void Http3Codec::on_field(http3::Stream& stream, std::string_view name, std::string_view value) {
  static_cast<Exchange&>(stream).ask.on_field(name, value);
}

void Http3Codec::on_too_many_fields(http3::Stream& stream) {
  static_cast<Exchange&>(stream).ask.on_too_many_fields();
}

void Http3Codec::on_content(http3::Stream& stream, base::Bytes octets) {
  auto& exchange = static_cast<Exchange&>(stream);
  if (exchange.ask.waiting == nullptr || exchange.ask.on_content(octets)) return;
  link_.refuse(*std::exchange(exchange.ask.waiting, nullptr),
               link_.fail(Reason::malformed, "more than a DNS message"));
  reset(stream, http3::Code::request_cancelled);
}

void Http3Codec::on_whole(http3::Stream& stream) {
  auto& exchange = static_cast<Exchange&>(stream);
  if (exchange.ask.waiting != nullptr) exchange.ask.deliver(link_);
}

void Http3Codec::on_reset(http3::Stream& stream, std::uint64_t code) {
  auto& exchange = static_cast<Exchange&>(stream);
  reset(stream, http3::Code::request_cancelled);
  Waiting* const waiting = std::exchange(exchange.ask.waiting, nullptr);
  if (waiting == nullptr) return;
  if (code == number_of(http3::Code::request_rejected))
    return link_.give_back(*waiting, "HTTP/3 request not processed");
  // The connection lives: a fresh one would not help.
  Failure failure =
      link_.fail(Reason::closed, std::format("HTTP/3 stream reset, code {:#x}", code));
  failure.error.retry = base::Retry::other_upstream;
  link_.refuse(*waiting, std::move(failure));
}

bool Http3Codec::on_closed(http3::Stream& stream) {
  const auto found = exchanges_.find(stream.id);
  const std::unique_ptr<Exchange> exchange = std::move(found->second);
  exchanges_.erase(found);
  if (Waiting* const waiting = std::exchange(exchange->ask.waiting, nullptr))
    link_.refuse(*waiting, link_.fail(Reason::closed, "closed a stream before the reply"));
  return true;
}

void Http3Codec::on_goaway(quic::StreamId first) {
  if (!std::exchange(told_of_goaway_, true)) link_.terms().metrics.goaway();
  std::vector<Waiting*> not_begun;
  for (auto& [id, exchange] : exchanges_) {
    if (id < first || exchange->ask.waiting == nullptr) continue;
    not_begun.push_back(std::exchange(exchange->ask.waiting, nullptr));
    reset(*exchange, http3::Code::request_cancelled);
  }
  link_.take_no_more();
  for (Waiting* waiting : not_begun) {
    if (link_.closed()) return;  // over the last of them, with all who waited
    link_.give_back(*waiting, "HTTP/3 request not processed");
  }
}

void Http3Codec::on_abuse() {
  link_.close(LinkEnd::error, link_.fail(Reason::closed, abuse() == http3::Abuse::protocol
                                                             ? "HTTP/3 that is none"
                                                             : "a flood of HTTP/3 frames"));
}

}  // namespace transports
