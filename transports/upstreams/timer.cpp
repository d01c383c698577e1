// Waiting for a time or for the last one to leave.
#include "transports/upstreams/timer.h"

#include <boost/asio/redirect_error.hpp>

namespace transports {

Awaitable<bool> sleep_until(Timer& timer, base::TimePoint until) {
  boost::system::error_code error;
  timer.expires_at(until);
  co_await timer.async_wait(boost::asio::redirect_error(use_awaitable, error));
  co_return !error;
}

Awaitable<void> UnderWay::none_left(base::TimePoint until) {
  const std::shared_ptr<State> state = state_;
  while (state->count > 0 && base::Clock::now() < until)
    co_await sleep_until(state->emptied, until);
}

}  // namespace transports
