// Joining and landing flights.
#include "gateway/flights.h"

#include <algorithm>

namespace gateway {

bool Flights::add(const FlightKey& key, Waiter waiter) {
  Segment& segment = segment_of(key);
  const std::scoped_lock lock{segment.mutex};
  auto [flight, is_new] = segment.flights.try_emplace(key);
  flight->second.waiters.push_back(std::move(waiter));
  return is_new;
}

bool Flights::is_late(const FlightKey& key, base::Clock::duration patience) {
  Segment& segment = segment_of(key);
  const std::scoped_lock lock{segment.mutex};
  const auto flight = segment.flights.find(key);
  return flight != segment.flights.end() && base::Clock::now() - flight->second.began >= patience;
}

bool Flights::reserve_refresh(std::uint32_t most) {
  if (refreshing_.load(std::memory_order_relaxed) >= most) return false;
  if (refreshing_.fetch_add(1) < most) return true;
  refreshing_.fetch_sub(1);
  return false;
}

bool Flights::begin_refresh(const FlightKey& key) {
  Segment& segment = segment_of(key);
  const std::scoped_lock lock{segment.mutex};
  auto [flight, is_new] = segment.flights.try_emplace(key);
  if (is_new) {
    flight->second.is_refresh = true;
  } else {
    give_back_refresh();
  }
  return is_new;
}

void Flights::land(const FlightKey& key, std::shared_ptr<const Landed> landed) {
  Flight flight;
  {
    Segment& segment = segment_of(key);
    const std::scoped_lock lock{segment.mutex};
    if (auto ended = segment.flights.extract(key)) flight = std::move(ended.mapped());
  }
  if (flight.is_refresh) {
    give_back_refresh();
    const dns::Rcode rcode = landed->answer.rcode;
    const bool renewed = rcode == dns::Rcode::noerror || rcode == dns::Rcode::nxdomain;
    ++(renewed ? refresh_stats_.renewed : refresh_stats_.failed);
  }
  std::vector<Waiter>& waiters = flight.waiters;
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
