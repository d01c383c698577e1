// The zone behind the project's own listeners: what the gateway's pipeline is for clients, this is
// for the gateway. RFC 1035 §4.1, RFC 6891. Owned by the demonstration's server; used on its
// thread.
#pragma once

#include <boost/asio/io_context.hpp>

#include "gateway/demo/zone.h"
#include "transports/answerer.h"

namespace gateway::demo {

class DemoAnswerer final : public transports::Answerer {
 public:
  explicit DemoAnswerer(boost::asio::io_context& io) : io_(io) {}

  base::TimePoint begin_batch() override { return base::Clock::now(); }
  void end_batch() override {}
  bool answer_now(const transports::Query& query, transports::Reply& reply) override;
  transports::Awaitable<transports::Answer> answer(transports::Query query) override;

 private:
  transports::AnswerSummary compose(const transports::Query& query, base::MutableBytes out,
                                    std::size_t& size) const;

  boost::asio::io_context& io_;
  Zone zone_;
};

}  // namespace gateway::demo
