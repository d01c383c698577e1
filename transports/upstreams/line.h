// Exchanges that wait for room on links which are all full: first come, first served. Owned by its
// pool; one thread.
#pragma once

#include <list>
#include <memory>

#include "base/clock.h"
#include "transports/awaitable.h"
#include "transports/upstreams/timer.h"

namespace transports {

class Line {
  struct Entry {
    explicit Entry(Executor executor) : woken(executor) {}
    Timer woken;
    bool called = false;
  };
  using Entries = std::list<Entry>;

 public:
  explicit Line(Executor executor) : executor_(executor), entries_(std::make_shared<Entries>()) {}

  /// Waits to be called, until `limit` at the latest; true when it was. Who was called and found
  /// the room taken waits `again`, before all others.
  Awaitable<bool> wait(base::TimePoint limit, bool again);
  void call_next() { call_next(*entries_); }
  void call_all();

  /// Whoever had room, or was called to it, calls the next at the end of this scope. It may end
  /// after its line: a loop that is torn down ends coroutines last.
  class Leaving {
   public:
    explicit Leaving(Line& line) : entries_(line.entries_) {}
    ~Leaving() { call_next(*entries_); }
    Leaving(const Leaving&) = delete;
    Leaving& operator=(const Leaving&) = delete;

   private:
    std::shared_ptr<Entries> entries_;
  };

 private:
  static void call_next(Entries& entries);

  Executor executor_;
  std::shared_ptr<Entries> entries_;
};

}  // namespace transports
