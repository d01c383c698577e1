// Which HTTP it is, is what TLS agreed on.
#include "transports/upstreams/https.h"

#include <memory>
#include <utility>

#include "transports/upstreams/http1_codec.h"
#include "transports/upstreams/http2_codec.h"

namespace transports {

namespace {

/// What the codecs of an upstream share.
struct Shared {
  explicit Shared(const conf::Upstream& upstream) : target(upstream) {}

  DohTarget target;
  http2::Memory memory;
};

}  // namespace

std::shared_ptr<StreamTerms> https_terms(const conf::Upstream& upstream,
                                         const UpstreamContext& context, Secrets secrets) {
  auto shared = std::make_shared<Shared>(upstream);
  return std::make_shared<StreamTerms>(
      upstream, context, std::move(secrets),
      [shared](Link& link, StreamTerms& terms,
               const Connection& connection) -> std::unique_ptr<StreamCodec> {
        terms.one_at_a_time = connection.tls_facts().alpn != "h2";
        if (terms.one_at_a_time) return std::make_unique<Http1Codec>(link, shared->target);
        return std::make_unique<Http2Codec>(link, shared->target, shared->memory);
      });
}

}  // namespace transports
