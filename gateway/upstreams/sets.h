// All sets of upstreams that a home has, and which of them a name is asked of. Owned by its home
// through shared_ptr, for exchanges may outlive a reload; every call on that worker's thread.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "dns/answer.h"
#include "gateway/policy/routes.h"
#include "gateway/upstreams/upstream_set.h"

namespace gateway::upstreams {

class Sets {
 public:
  explicit Sets(policy::Routes routes) : routes_(std::move(routes)) {}
  Sets(const Sets&) = delete;
  Sets& operator=(const Sets&) = delete;

  void add(std::shared_ptr<UpstreamSet> set);
  /// What an operator said of upstreams stays over a reload.
  void inherit(const Sets& old);

  /// As UpstreamSet's, by the set that the name's route leads to.
  void begin(const transports::Ask& ask, base::TimePoint deadline, Race::Handler handler,
             Trace* trace = nullptr);
  transports::Awaitable<base::Result<dns::KeptAnswer>> resolve(transports::Ask ask,
                                                               base::TimePoint deadline,
                                                               Trace* trace = nullptr);
  [[nodiscard]] const std::shared_ptr<UpstreamSet>& set_of(dns::NameView name) const;
  /// Whether both would ask the same for this name: the same set, and, but for the usual one, the
  /// same upstreams.
  [[nodiscard]] bool leads_like(const Sets& other, dns::NameView name) const;

  /// As UpstreamSet's.
  std::size_t network_changed();

  transports::Awaitable<void> close(base::TimePoint drain_until);

  [[nodiscard]] std::vector<UpstreamSet::State> states() const;
  [[nodiscard]] const std::vector<std::shared_ptr<UpstreamSet>>& all() const { return sets_; }
  /// False when there is no such upstream.
  bool drain(std::string_view upstream, bool drained);

 private:
  policy::Routes routes_;
  std::vector<std::shared_ptr<UpstreamSet>> sets_;  // the default one first
};

}  // namespace gateway::upstreams
