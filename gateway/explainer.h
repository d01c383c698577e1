// Lives the life of a query for `sallyport explain`, on the worker that would ask for it, and
// writes down each step. Nothing is kept of it but what upstreams learn of their pace. Owned by the
// reply that it waits for.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "cache/answer_cache.h"
#include "gateway/admin/inspection.h"
#include "gateway/home.h"

namespace gateway {

class Explainer final : public std::enable_shared_from_this<Explainer> {
 public:
  using Told = std::move_only_function<void(admin::Explanation)>;

  /// `told` is called once: at once when the upstreams need not be asked, else by the deadline of
  /// a query.
  static void begin(const Home::Parts& parts, std::shared_ptr<upstreams::Sets> sets,
                    const admin::ExplainOrder& order, Told told);

  explicit Explainer(Told told) : told_(std::move(told)) {}

 private:
  /// False when the story ends here.
  bool judge(const Snapshot& snapshot);
  /// True when nobody need be asked.
  bool find(const Home::Parts& parts, const Snapshot& snapshot);
  bool write_down(std::string_view state, const cache::Found& found);
  void choose(const Snapshot& snapshot, upstreams::UpstreamSet& set);
  void list_upstreams(const upstreams::Order& order);
  void exchange(std::shared_ptr<upstreams::Sets> sets, base::TimePoint deadline);
  void replied(upstreams::Race::Reply reply);
  void look_at_lifetime(const dns::KeptAnswer& reply);
  void tell() { told_(std::move(story_)); }

  Told told_;
  admin::Explanation story_;
  std::vector<upstreams::UpstreamSet::State> states_;  // of the set
  conf::Cache limits_;
  upstreams::Trace trace_;
  base::TimePoint began_{};
};

/// An upstream's state as it is told.
admin::UpstreamView view_of(const upstreams::UpstreamSet::State& state, std::uint32_t worker);
admin::UpstreamDetail detail_of(const upstreams::UpstreamSet::State& state);

}  // namespace gateway
