// The clock of the machine: alone in its file, see the header.
#include "base/clock.h"

namespace base {

TimePoint Clock::now() noexcept {
  return TimePoint{std::chrono::steady_clock::now().time_since_epoch()};
}

}  // namespace base
