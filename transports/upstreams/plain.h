// An upstream over UDP, and over TCP where UDP will not do. Owned by its upstream set.
#pragma once

#include <string_view>

#include "transports/upstreams/plain_exchange.h"
#include "transports/upstreams/upstream.h"
#include "transports/upstreams/upstreams.h"

namespace transports {

class PlainUpstream final : public Upstream {
 public:
  PlainUpstream(const conf::Upstream& upstream, const UpstreamContext& context)
      : parts_(upstream, context) {}

  Awaitable<base::Result<dns::KeptAnswer>> exchange(Ask ask, base::TimePoint deadline) override;
  void begin(Ask ask, base::TimePoint deadline, Asker& asker, const Executor& executor) override;
  [[nodiscard]] std::string_view name() const override { return parts_.upstream.url; }
  bool network_changed() override;
  Awaitable<void> close(base::TimePoint drain_until) override;

 private:
  PlainParts parts_;
};

}  // namespace transports
