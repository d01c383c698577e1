// Waiting in line and being called.
#include "transports/upstreams/line.h"

#include <algorithm>

namespace transports {

Awaitable<bool> Line::wait(base::TimePoint limit, bool again) {
  const std::shared_ptr<Entries> entries = entries_;
  const auto self = entries->emplace(again ? entries->begin() : entries->end(), executor_);
  co_await sleep_until(self->woken, limit);
  const bool called = self->called;
  entries->erase(self);
  co_return called;
}

void Line::call_next(Entries& entries) {
  const auto first = std::ranges::find(entries, false, &Entry::called);
  if (first == entries.end()) return;
  first->called = true;
  first->woken.cancel();
}

void Line::call_all() {
  for (Entry& entry : *entries_) {
    entry.called = true;
    entry.woken.cancel();
  }
}

}  // namespace transports
