// RollCall: one exchange for each.
#include "gateway/upstreams/roll_call.h"

#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>

namespace gateway::upstreams {

void RollCall::begin(std::shared_ptr<Sets> sets, const std::optional<std::string>& name,
                     Told told) {
  if (!sets) return told({});  // none yet, or no longer
  const auto call = std::make_shared<RollCall>(std::move(sets), std::move(told));
  for (const std::shared_ptr<UpstreamSet>& set : call->sets_->all()) {
    for (std::size_t i = 0; i < set->size(); ++i) {
      if (!name || set->member(i).name() == *name) call->call(*set, set->member(i));
    }
  }
}

void RollCall::call(UpstreamSet& set, Member& member) {
  const base::TimePoint now = base::Clock::now();
  const std::size_t index = called_.size();
  called_.push_back({set.terms().name, std::string{member.name()}, false, "no reply", {}});
  boost::asio::co_spawn(set.executor(),
                        member.upstream().exchange(set.probe(), now + member.timeout()),
                        [self = shared_from_this(), index, now](
                            const std::exception_ptr& thrown, base::Result<dns::KeptAnswer> reply) {
                          if (!thrown) self->replied(index, now, std::move(reply));
                        });
}

void RollCall::replied(std::size_t index, base::TimePoint asked,
                       base::Result<dns::KeptAnswer> reply) {
  Called& one = called_[index];
  one.took = base::Clock::now() - asked;
  one.answered = reply.has_value();
  one.outcome = reply ? outcome_of(*reply) : std::move(reply.error().context);
}

}  // namespace gateway::upstreams
