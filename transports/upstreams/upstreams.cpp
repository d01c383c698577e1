// One row per transport: which class speaks it.
#include "transports/upstreams/upstreams.h"

#include <utility>

#include "transports/upstreams/doq_codec.h"
#include "transports/upstreams/fallback.h"
#include "transports/upstreams/framed_codec.h"
#include "transports/upstreams/http3_codec.h"
#include "transports/upstreams/https.h"
#include "transports/upstreams/plain.h"
#include "transports/upstreams/proxy_tunnel.h"
#include "transports/upstreams/quic_link.h"
#include "transports/upstreams/stream.h"

namespace transports {

namespace {

std::expected<Secrets, std::string> read_secrets(const conf::Upstream& upstream,
                                                 const UpstreamContext& context) {
  Secrets secrets;
  if (conf::row_of(upstream.protocol).encrypted) {
    auto tls = certs::ClientContext::make(upstream, context.authorities);
    if (!tls) return std::unexpected(std::move(tls.error()));
    secrets.tls = std::move(*tls);
  }
  auto login = read_proxy_login(upstream);
  if (!login) return std::unexpected(std::move(login.error()));
  secrets.proxy_login = std::move(*login);
  return secrets;
}

std::expected<std::unique_ptr<StreamUpstream>, std::string> make_stream_upstream(
    const conf::Upstream& upstream, const UpstreamContext& context) {
  std::expected<Secrets, std::string> secrets = read_secrets(upstream, context);
  if (!secrets) return std::unexpected(std::move(secrets.error()));
  switch (upstream.protocol) {
    case conf::Protocol::doh:
      return std::make_unique<StreamUpstream>(
          StreamLink::maker(https_terms(upstream, context, std::move(*secrets))));
    case conf::Protocol::doq:
      return std::make_unique<StreamUpstream>(
          QuicLink::maker(DoqCodec::terms(upstream, context, std::move(secrets->tls))));
    case conf::Protocol::doh3:
      return std::make_unique<StreamUpstream>(
          QuicLink::maker(Http3Codec::terms(upstream, context, std::move(secrets->tls))));
    default:
      return std::make_unique<StreamUpstream>(
          FramedCodec::links(upstream, context, std::move(*secrets)));
  }
}

}  // namespace

std::expected<std::unique_ptr<Upstream>, std::string> make_upstream(
    const conf::Upstream& upstream, const UpstreamContext& context) {
  if (upstream.protocol == conf::Protocol::udp)
    return std::make_unique<PlainUpstream>(upstream, context);
  auto wanted = make_stream_upstream(upstream, context);
  if (!wanted || !upstream.fallback) return wanted;
  auto other = make_stream_upstream(upstream.fallen_back(), context);
  if (!other) return other;
  return std::make_unique<FallbackUpstream>(std::move(*wanted), std::move(*other), context);
}

}  // namespace transports
