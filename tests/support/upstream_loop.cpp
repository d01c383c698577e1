// UpstreamLoop: the parts, and the questions that tests ask.
#include "tests/support/upstream_loop.h"

#include "gateway/admin/metrics_table.h"

namespace test_support {

UpstreamLoop::UpstreamLoop()
    : registry_(gateway::admin::metric_families),
      sheet_(registry_.add_sheet()),
      log_(base::Log::Options{.level = base::LogLevel::off}) {}

transports::UpstreamContext UpstreamLoop::context() {
  return {loop_.get_executor(), random_, *receive_buffer_, authorities_, sheet_, log_, timers_};
}

void UpstreamLoop::run(transports::Awaitable<void> work) {
  bool ended = false;
  boost::asio::co_spawn(loop_, std::move(work), [&ended](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
    ended = true;
  });
  run_until([&ended] { return ended; });
}

transports::Ask ask_for(std::string_view name, dns::RrType type) {
  return {{*dns::Name::from_text(name), type, dns::RrClass::in}};
}

base::TimePoint in(std::chrono::milliseconds time) { return base::Clock::now() + time; }

int last_octet(const dns::KeptAnswer& answer) {
  return answer.wire.empty() ? -1 : answer.wire.back();
}

}  // namespace test_support
