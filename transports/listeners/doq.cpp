// What DoQ allows its clients.
#include "transports/listeners/doq.h"

namespace transports {

DoqListener::DoqListener(const conf::ListenAddress& address, std::uint16_t index,
                         ListenerContext& context)
    : context_(context), index_(index), endpoint_(address, index, context, *this) {}

/// RFC 9250 §4.2: clients open bidirectional streams only. One whole query of any size must fit
/// into what a connection may have on its way; more is given when its memory is gone.
quic::StreamLimits DoqListener::limits() const {
  return {.bidirectional = context_.limits.queries_per_session,
          .unidirectional = 0,
          .stream_octets = quic::doq_frame_max,
          .octets = quic::doq_frame_max};
}

std::unique_ptr<quic::Codec> DoqListener::make_codec(quic::Connection& connection) {
  return std::make_unique<quic::DoqSession>(connection, context_, work_, conf::Protocol::doq,
                                            index_);
}

}  // namespace transports
