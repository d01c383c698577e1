// Fake time: while a ToldClock lives, base::Clock stands still until it is told to go on. Linked in
// the place of base/clock.cpp by every test above the cache.
#pragma once

#include "base/clock.h"

namespace test_support {

/// One at a time, in a process of one thread that asks the time. Begins at a whole second.
class ToldClock {
 public:
  ToldClock();
  ~ToldClock();
  ToldClock(const ToldClock&) = delete;
  ToldClock& operator=(const ToldClock&) = delete;

  void advance(base::Clock::duration by);
};

}  // namespace test_support
