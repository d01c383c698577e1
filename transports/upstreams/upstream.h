// One upstream recursive resolver over one transport. RFC 9499: "upstream" is who we ask; a "link"
// is one connection.
#pragma once

#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "dns/answer.h"
#include "dns/request.h"
#include "transports/awaitable.h"

namespace transports {

/// What we want to know; everything else of the outgoing query is ours.
struct Ask {
  dns::Question question;
  bool dnssec_ok = false;
  bool checking_disabled = false;
};

/// Owned by its home worker's upstream set; all calls on that worker's thread.
class Upstream {
 public:
  virtual ~Upstream() = default;
  Upstream() = default;
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  /// A reply that matches the question, made fit to keep; or an Error that says whose fault and
  /// what to try. Whatever the upstream does, it ends no later than `deadline`. Any rcode is a
  /// reply; the set decides which it believes.
  virtual Awaitable<base::Result<dns::KeptAnswer>> exchange(Ask ask, base::TimePoint deadline) = 0;
  /// As in the configuration: "tls://9.9.9.9#dns.quad9.net".
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// No exchange begins from now on; those under way may end. To be awaited before destruction.
  virtual Awaitable<void> close(base::TimePoint drain_until) = 0;
};

}  // namespace transports
