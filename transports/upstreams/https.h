// Links of an upstream over HTTPS: HTTP/2 when its server speaks that, HTTP/1.1 when it does not.
// RFC 8484 §5.2, RFC 9113 §3.3, RFC 7301.
#pragma once

#include "transports/upstreams/link.h"
#include "transports/upstreams/stream_link.h"
#include "transports/upstreams/upstreams.h"

namespace transports {

std::shared_ptr<StreamTerms> https_terms(const conf::Upstream& upstream,
                                         const UpstreamContext& context, Secrets secrets);

}  // namespace transports
