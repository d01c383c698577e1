// An upstream that replies as it is told: for tests of what stands above the transports.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <utility>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "transports/upstreams/upstream.h"

namespace test_support {

/// Outlives the upstream that follows it.
struct Told {
  std::deque<base::Result<dns::KeptAnswer>> replies;  ///< the last one is given again and again
  unsigned asked = 0;
  std::optional<base::TimePoint> deadline;  ///< of the last exchange
  std::optional<transports::Ask> ask;       ///< the last one
  std::chrono::milliseconds delay{0};
  /// Replies in place of all of the above but the counts.
  std::function<transports::Awaitable<base::Result<dns::KeptAnswer>>(transports::Ask,
                                                                     base::TimePoint deadline)>
      script;
  unsigned let_go = 0;  ///< exchanges that were cancelled while they waited
};

/// On base::Clock, and so on the time that a test tells.
inline transports::Awaitable<void> wait_until(base::TimePoint when) {
  boost::asio::basic_waitable_timer<base::Clock, boost::asio::wait_traits<base::Clock>,
                                    transports::Executor>
      timer{co_await boost::asio::this_coro::executor, when};
  co_await timer.async_wait(transports::use_awaitable);
}

class ToldUpstream final : public transports::Upstream {
 public:
  explicit ToldUpstream(Told& told, std::string_view name = "udp://192.0.2.1")
      : told_(told), name_(name) {}

  transports::Awaitable<base::Result<dns::KeptAnswer>> exchange(transports::Ask ask,
                                                                base::TimePoint deadline) override {
    ++told_.asked;
    told_.deadline = deadline;
    told_.ask = ask;
    if (told_.script) co_return co_await told_.script(std::move(ask), deadline);
    auto reply = told_.replies.front();
    if (told_.replies.size() > 1) told_.replies.pop_front();
    if (told_.delay.count() != 0) {
      try {
        co_await wait_until(base::Clock::now() + told_.delay);
      } catch (const boost::system::system_error&) {
        ++told_.let_go;
        throw;
      }
    }
    co_return reply;
  }
  std::string_view name() const override { return name_; }
  transports::Awaitable<void> close(base::TimePoint) override { co_return; }

 private:
  Told& told_;
  std::string_view name_;
};

inline base::Result<dns::KeptAnswer> silence() {
  return std::unexpected{
      base::Error{base::Blame::upstream, base::Retry::other_upstream, "udp://192.0.2.1: no reply"}};
}

}  // namespace test_support
