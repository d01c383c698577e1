// What the gateway tells of its upstreams, and of a name's way to them: asked of every worker that
// asks upstreams.
#include <algorithm>
#include <future>
#include <utility>

#include "gateway/app.h"
#include "gateway/explainer.h"
#include "gateway/upstreams/roll_call.h"

namespace gateway {
namespace {

using States = std::vector<upstreams::UpstreamSet::State>;

constexpr std::chrono::seconds answer_grace{2};  // beyond what upstreams may take

/// What a worker has promised, or nothing when it is held up or ends meanwhile.
template <class T>
T wait_for(std::future<T> promised, std::chrono::milliseconds most) {
  if (promised.wait_for(most) != std::future_status::ready)
    throw std::runtime_error("the gateway is too busy to tell");
  return promised.get();
}

}  // namespace

/// Of each worker that keeps links, in order.
std::vector<States> App::upstream_states() {
  const std::size_t homes = std::min(snapshots_.share()->homes, workers_.size());
  std::vector<std::future<States>> promised;
  for (std::size_t i = 0; i < homes; ++i) {
    promised.push_back(workers_[i]->at_home<States>([](Home& home, std::promise<States> told) {
      told.set_value(home.upstreams() ? home.upstreams()->states() : States{});
    }));
  }
  std::vector<States> all;
  for (std::future<States>& each : promised) all.push_back(wait_for(std::move(each), answer_grace));
  return all;
}

void App::count_in(admin::UpstreamDetail& detail) const {
  const auto total = [this](std::string_view family, const base::Labels& labels) {
    return static_cast<std::uint64_t>(metrics_.total(family, labels));
  };
  const base::Labels labels{{"upstream", detail.url}};
  const std::uint64_t opened =
      total("sallyport_upstream_connections_total", {{"upstream", detail.url}, {"result", "ok"}});
  const std::uint64_t closed = total("sallyport_upstream_disconnections_total", labels);
  detail.queries = total("sallyport_upstream_queries_total", labels);
  detail.errors = total("sallyport_upstream_errors_total", labels);
  detail.links_open = opened - std::min(opened, closed);
  for (const base::Address& address : book_.addresses_of(detail.url))
    detail.addresses.push_back(address.to_text());
}

std::vector<admin::UpstreamDetail> App::upstreams() {
  std::vector<admin::UpstreamDetail> all;
  if (stopping_) return all;  // the workers may have ended
  const std::vector<States> states = upstream_states();
  for (std::size_t worker = 0; worker < states.size(); ++worker) {
    for (std::size_t i = 0; i < states[worker].size(); ++i) {
      const upstreams::UpstreamSet::State& state = states[worker][i];
      if (i == all.size()) {
        all.push_back(detail_of(state));
        count_in(all.back());
      }
      // A reload may have reached some of them and not others.
      if (all[i].url == state.name && all[i].set == state.set)
        all[i].views.push_back(view_of(state, static_cast<std::uint32_t>(worker)));
    }
  }
  return all;
}

std::vector<admin::TestedUpstream> App::test_upstreams(const std::optional<std::string>& url) {
  using Called = std::vector<upstreams::RollCall::Called>;
  std::chrono::milliseconds most{0};
  for (const conf::Upstream& upstream : snapshots_.share()->config.upstreams)
    most = std::max(most, upstream.timeout);
  std::vector<admin::TestedUpstream> tested;
  if (stopping_) return tested;
  const Called called =
      wait_for(workers_.front()->at_home<Called>([url](Home& home, std::promise<Called> told) {
        upstreams::RollCall::begin(
            home.upstreams(), url,
            [told = std::move(told)](Called all) mutable { told.set_value(std::move(all)); });
      }),
               2 * most + answer_grace);
  for (const upstreams::RollCall::Called& one : called) {
    tested.push_back({one.set, one.name, one.answered, one.outcome,
                      std::chrono::duration_cast<std::chrono::microseconds>(one.took)});
  }
  return tested;
}

bool App::drain_upstream(const std::string& url, bool drained) {
  if (stopping_) return false;
  bool found = false;
  for (const auto& worker : workers_) {
    found = wait_for(worker->at_home<bool>([url, drained](Home& home, std::promise<bool> told) {
              told.set_value(home.upstreams() && home.upstreams()->drain(url, drained));
            }),
                     answer_grace) ||
            found;
  }
  if (found)
    log_.info(drained ? "upstream drained" : "upstream no longer drained", {{"upstream", url}});
  return found;
}

admin::Explanation App::explain(const admin::ExplainOrder& order) {
  using Told = admin::Explanation;
  if (stopping_) throw std::runtime_error("the gateway is stopping");
  const std::shared_ptr<const Snapshot> snapshot = snapshots_.share();
  const std::uint64_t hash = cache_.key_of(order.question, false, false).hash;
  const auto home = static_cast<std::uint32_t>(hash % std::min(snapshot->homes, workers_.size()));
  Told story = wait_for(workers_[home]->at_home<Told>([order](Home& at, std::promise<Told> told) {
    at.explain(order,
               [told = std::move(told)](Told all) mutable { told.set_value(std::move(all)); });
  }),
                        snapshot->config.limits.query_timeout + answer_grace);
  story.worker = home;
  for (admin::UpstreamDetail& upstream : story.upstreams) {
    count_in(upstream);
    for (admin::UpstreamView& view : upstream.views) view.worker = home;
  }
  return story;
}

}  // namespace gateway
