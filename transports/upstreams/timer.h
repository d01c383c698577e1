// A timer on a worker's own loop, and the count of what is under way there. Owned by whoever waits.
#pragma once

#include <boost/asio/basic_waitable_timer.hpp>

#include <cstddef>
#include <memory>

#include "base/clock.h"
#include "transports/awaitable.h"

namespace transports {

using Timer =
    boost::asio::basic_waitable_timer<base::Clock, boost::asio::wait_traits<base::Clock>, Executor>;

/// Sleeps until `until` or until the timer is cancelled; true when the time has come.
Awaitable<bool> sleep_until(Timer& timer, base::TimePoint until);

/// How many exchanges are under way, for whoever closes what they use.
class UnderWay {
  struct State {
    explicit State(Executor executor) : emptied(executor) {}
    std::size_t count = 0;
    Timer emptied;
  };

 public:
  explicit UnderWay(Executor executor) : state_(std::make_shared<State>(executor)) {}

  /// One of them, for a scope. It may end after its UnderWay: a loop that is torn down ends
  /// coroutines last.
  class Mark {
   public:
    explicit Mark(UnderWay& all) : state_(all.state_) { ++state_->count; }
    ~Mark() {
      if (--state_->count == 0) state_->emptied.cancel();
    }
    Mark(const Mark& other) : state_(other.state_) { ++state_->count; }
    Mark& operator=(const Mark&) = delete;

   private:
    std::shared_ptr<State> state_;
  };

  [[nodiscard]] std::size_t count() const { return state_->count; }
  /// Returns when there is none left, at `until` at the latest.
  Awaitable<void> none_left(base::TimePoint until);

 private:
  std::shared_ptr<State> state_;
};

}  // namespace transports
