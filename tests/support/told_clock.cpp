// The clock that tests tell, and the machine's while they do not.
#include "tests/support/told_clock.h"

#include <atomic>

namespace {

std::atomic<base::Clock::rep> told{0};  // 0: nobody tells

}  // namespace

namespace base {

TimePoint Clock::now() noexcept {
  const rep now = told.load(std::memory_order_relaxed);
  return TimePoint{now != 0 ? duration{now} : std::chrono::steady_clock::now().time_since_epoch()};
}

}  // namespace base

namespace test_support {

ToldClock::ToldClock() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  told = base::Clock::duration{std::chrono::ceil<std::chrono::seconds>(now)}.count();
}
ToldClock::~ToldClock() { told = 0; }

void ToldClock::advance(base::Clock::duration by) { told += by.count(); }

}  // namespace test_support
