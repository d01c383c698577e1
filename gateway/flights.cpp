// Joining and landing flights.
#include "gateway/flights.h"

#include <algorithm>

namespace gateway {

bool Flights::add(const FlightKey& key, Waiter waiter) {
  Segment& segment = segment_of(key);
  const std::scoped_lock lock{segment.mutex};
  auto [flight, is_new] = segment.flights.try_emplace(key);
  flight->second.push_back(std::move(waiter));
  return is_new;
}

void Flights::land(const FlightKey& key, std::shared_ptr<const Landed> landed) {
  std::vector<Waiter> waiters;
  {
    Segment& segment = segment_of(key);
    const std::scoped_lock lock{segment.mutex};
    auto flight = segment.flights.extract(key);
    if (flight) waiters = std::move(flight.mapped());
  }
  std::ranges::stable_sort(waiters, std::ranges::less{}, &Waiter::home);
  for (auto first = waiters.begin(); first != waiters.end();) {
    Mailbox* const home = first->home;
    const auto last = std::find_if(first, waiters.end(),
                                   [home](const Waiter& waiter) { return waiter.home != home; });
    std::vector<Handler> handlers;
    for (; first != last; ++first) handlers.push_back(std::move(first->handler));
    home->push([handlers = std::move(handlers), landed]() mutable {
      for (Handler& handler : handlers) std::move(handler)(landed);
    });
  }
}

std::size_t Flights::size() const {
  std::size_t count = 0;
  for (const Segment& segment : segments_) {
    const std::scoped_lock lock{segment.mutex};
    count += segment.flights.size();
  }
  return count;
}

}  // namespace gateway
