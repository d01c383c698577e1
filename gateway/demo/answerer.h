// The zone behind the project's own listeners: what the gateway's pipeline is for clients, this is
// for the gateway. RFC 1035 §4.1, RFC 6891. Owned by the demonstration's server; used on its
// thread.
#pragma once

#include "gateway/demo/zone.h"
#include "transports/coroutine_answerer.h"

namespace gateway::demo {

class DemoAnswerer final : public transports::CoroutineAnswerer {
 public:
  using CoroutineAnswerer::CoroutineAnswerer;

  base::TimePoint begin_batch() override { return base::Clock::now(); }
  void end_batch() override {}
  bool answer_now(const transports::Query& query, transports::Reply& reply) override;

 private:
  transports::Awaitable<transports::Answer> answer_late(transports::Query query) override;
  transports::AnswerSummary compose(const transports::Query& query, base::MutableBytes out,
                                    std::size_t& size) const;

  Zone zone_;
};

}  // namespace gateway::demo
