// What DNS over HTTP/3 allows its clients.
#include "transports/listeners/doh3.h"

namespace transports {

namespace {

// What is received is taken at once: so much is on its way for want of an acknowledgement alone.
constexpr std::uint64_t stream_window = std::uint64_t{64} * 1024;
constexpr std::uint64_t window = std::uint64_t{128} * 1024;

}  // namespace

Doh3Listener::Doh3Listener(const conf::ListenAddress& address, std::uint16_t index,
                           ListenerContext& context)
    : context_(context),
      index_(index),
      work_(context.waiting.octets, context.metrics),
      endpoint_(address, index, context, *this) {}

quic::StreamLimits Doh3Listener::limits() const {
  return {.bidirectional = context_.limits.queries_per_session,
          .unidirectional = http3::Session::peers_streams_max,
          .stream_octets = stream_window,
          .octets = window};
}

std::unique_ptr<quic::Codec> Doh3Listener::make_codec(quic::Connection& connection) {
  return std::make_unique<http3::ServerSession>(connection, context_, work_, index_);
}

}  // namespace transports
