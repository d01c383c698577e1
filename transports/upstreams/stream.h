// An upstream over TCP or DoT. RFC 7766, RFC 7858, RFC 8310 (strict). Owned by its upstream set.
#pragma once

#include <memory>
#include <string_view>

#include "transports/upstreams/habits.h"
#include "transports/upstreams/link_pool.h"
#include "transports/upstreams/metrics.h"
#include "transports/upstreams/upstream.h"
#include "transports/upstreams/upstreams.h"

namespace transports {

class StreamUpstream final : public Upstream {
 public:
  /// `tls` is empty for TCP.
  StreamUpstream(const conf::Upstream& upstream, const UpstreamContext& context,
                 std::shared_ptr<certs::ClientContext> tls);

  Awaitable<base::Result<dns::KeptAnswer>> exchange(Ask ask, base::TimePoint deadline) override;
  [[nodiscard]] std::string_view name() const override { return upstream_.url; }
  Awaitable<void> close(base::TimePoint drain_until) override { return links_.close(drain_until); }

 private:
  conf::Upstream upstream_;
  UpstreamMetrics metrics_;
  EdnsHabit edns_;
  LinkPool links_;
};

}  // namespace transports
