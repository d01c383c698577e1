// Deadlines of many sessions on one timer: a hashed wheel (Varghese and Lauck 1987, scheme 6).
// Setting a deadline later than it was, which each message does, is one store. Owned by a worker.
#pragma once

#include <boost/asio/basic_waitable_timer.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "transports/awaitable.h"

namespace transports {

class TimerWheel {
 public:
  /// What suits sessions.
  static constexpr std::chrono::milliseconds usual_tick{50};

  /// Base of whatever has a deadline. Leaves the wheel when it ends.
  class Entry {
   public:
    Entry() = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   protected:
    ~Entry() { unlink(); }
    /// The deadline has passed; the entry is off the wheel, may be set again, and may be destroyed.
    virtual void on_deadline(base::TimePoint now) = 0;

   private:
    friend class TimerWheel;
    void unlink();

    Entry* next_ = nullptr;
    Entry** link_ = nullptr;  // what points at this; null: off the wheel
    base::TimePoint deadline_{};
    std::uint64_t tick_ = 0;  // when it is looked at; not after the deadline's tick
  };

  /// A deadline is met by a `tick` later at most, while the worker is not held up.
  explicit TimerWheel(boost::asio::io_context& io, std::chrono::milliseconds tick = usual_tick);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  void set(Entry& entry, base::TimePoint deadline);
  void clear(Entry& entry) { entry.unlink(); }

  /// No timer is set from now on, so that the loop can run out of work.
  void stop();

 private:
  using Timer = boost::asio::basic_waitable_timer<base::Clock,
                                                  boost::asio::wait_traits<base::Clock>, Executor>;
  static constexpr std::size_t slots = 1024;

  [[nodiscard]] std::uint64_t tick_of(base::TimePoint when) const;
  void link(Entry& entry);
  void wait_for(std::uint64_t tick);
  void on_tick();
  [[nodiscard]] std::uint64_t next_tick() const;

  std::chrono::milliseconds tick_;
  std::array<Entry*, slots> slots_{};
  std::uint64_t done_ = 0;     // ticks looked at
  std::uint64_t awaited_ = 0;  // the tick that the timer is set to; 0: none
  bool stopped_ = false;
  Timer timer_;
};

}  // namespace transports
