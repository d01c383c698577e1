// One row per transport: which class speaks it.
#include "transports/upstreams/upstreams.h"

#include <utility>

#include "transports/upstreams/framed_codec.h"
#include "transports/upstreams/plain.h"
#include "transports/upstreams/quic_link.h"
#include "transports/upstreams/stream.h"

namespace transports {

std::expected<std::unique_ptr<Upstream>, std::string> make_upstream(
    const conf::Upstream& upstream, const UpstreamContext& context) {
  switch (upstream.protocol) {
    case conf::Protocol::udp: return std::make_unique<PlainUpstream>(upstream, context);
    case conf::Protocol::tcp:
      return std::make_unique<StreamUpstream>(FramedCodec::links(upstream, context, nullptr));
    case conf::Protocol::dot: {
      std::expected<std::unique_ptr<certs::ClientContext>, std::string> tls =
          certs::ClientContext::make(upstream, context.authorities);
      if (!tls) return std::unexpected(std::move(tls.error()));
      return std::make_unique<StreamUpstream>(
          FramedCodec::links(upstream, context, std::move(*tls)));
    }
    case conf::Protocol::doq: {
      std::expected<std::unique_ptr<certs::ClientContext>, std::string> tls =
          certs::ClientContext::make(upstream, context.authorities);
      if (!tls) return std::unexpected(std::move(tls.error()));
      return std::make_unique<StreamUpstream>(
          QuicLink::maker(std::make_shared<QuicTerms>(upstream, context, std::move(*tls))));
    }
  }
  std::unreachable();
}

}  // namespace transports
