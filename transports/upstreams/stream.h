// An upstream that is asked over links, whatever they speak: TCP, DoT and all that have streams.
// RFC 7766, RFC 7858, RFC 8310 (strict). Owned by its upstream set.
#pragma once

#include <memory>
#include <string_view>

#include "transports/upstreams/habits.h"
#include "transports/upstreams/link.h"
#include "transports/upstreams/link_pool.h"
#include "transports/upstreams/upstream.h"

namespace transports {

class StreamUpstream final : public Upstream {
 public:
  explicit StreamUpstream(LinkMaker maker);

  Awaitable<base::Result<dns::KeptAnswer>> exchange(Ask ask, base::TimePoint deadline) override;
  [[nodiscard]] std::string_view name() const override { return terms_->upstream.url; }
  /// Has a link that stands?
  [[nodiscard]] bool is_connected() const { return links_.is_connected(); }
  /// Whether anybody knows by now where it is.
  [[nodiscard]] bool is_located() const { return !terms_->host || terms_->host->version() != 0; }
  bool network_changed() override { return links_.network_changed(); }
  Awaitable<void> close(base::TimePoint drain_until) override { return links_.close(drain_until); }

 private:
  std::shared_ptr<LinkTerms> terms_;
  EdnsHabit edns_;
  LinkPool links_;
};

}  // namespace transports
