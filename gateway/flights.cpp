// Joining, leaving and landing flights.
#include "gateway/flights.h"

#include <utility>

namespace gateway {

Flight* Flights::join(const FlightKey& key, base::TimePoint now, base::TimePoint deadline,
                      Passenger& passenger) {
  passenger.hash_ = key.hash;
  Segment& segment = segment_of(key.hash);
  const std::scoped_lock lock{segment.mutex};
  const auto found = segment.under_way.find(key);
  const bool is_new = found == segment.under_way.end();
  Flight& flight = is_new ? begin(segment, key, now, deadline) : **found;
  flight.passengers.push_back(passenger);
  passenger.flight_ = &flight;
  return is_new ? &flight : nullptr;
}

bool Flights::leave(Passenger& passenger) {
  const std::scoped_lock lock{segment_of(passenger.hash_).mutex};
  Flight* const flight = std::exchange(passenger.flight_, nullptr);
  if (flight == nullptr) return false;
  flight->passengers.erase(flight->passengers.iterator_to(passenger));
  return true;
}

bool Flights::is_late(const FlightKey& key, base::TimePoint now, base::Clock::duration patience) {
  Segment& segment = segment_of(key.hash);
  const std::scoped_lock lock{segment.mutex};
  const auto flight = segment.under_way.find(key);
  return flight != segment.under_way.end() && now - (*flight)->began >= patience;
}

bool Flights::reserve_refresh(std::uint32_t most) {
  if (refreshing_.load(std::memory_order_relaxed) >= most) return false;
  if (refreshing_.fetch_add(1) < most) return true;
  refreshing_.fetch_sub(1);
  return false;
}

Flight* Flights::begin_refresh(const FlightKey& key, base::TimePoint now,
                               base::TimePoint deadline) {
  Segment& segment = segment_of(key.hash);
  const std::scoped_lock lock{segment.mutex};
  if (segment.under_way.contains(key)) {
    give_back_refresh();
    return nullptr;
  }
  Flight& flight = begin(segment, key, now, deadline);
  flight.is_refresh = true;
  return &flight;
}

Flight& Flights::begin(Segment& segment, const FlightKey& key, base::TimePoint now,
                       base::TimePoint deadline) {
  Flight& flight = segment.flights.take();
  flight.key = key;
  flight.began = now;
  flight.deadline = deadline;
  flight.is_refresh = false;
  segment.under_way.insert(&flight);
  return flight;
}

void Flights::land(Flight& flight, std::shared_ptr<const Landed> landed) {
  if (flight.is_refresh) count_refresh(*landed);
  decltype(flight.passengers) passengers;
  {
    Segment& segment = segment_of(flight.key.hash);
    const std::scoped_lock lock{segment.mutex};
    passengers.swap(flight.passengers);
    for (Passenger& passenger : passengers) passenger.flight_ = nullptr;
    segment.under_way.erase(&flight);
    segment.flights.give_back(flight);
  }
  while (!passengers.empty()) {
    Passenger& passenger = passengers.front();
    passengers.pop_front();
    passenger.landed_ = landed;
    // Who has been told may be gone, or wait for another flight.
    passenger.home_.push([told = &passenger] {
      const std::shared_ptr<const Landed> answer = std::move(told->landed_);
      told->landed(*answer);
    });
  }
}

void Flights::count_refresh(const Landed& landed) {
  give_back_refresh();
  const dns::Rcode rcode = landed.answer.rcode;
  const bool renewed = rcode == dns::Rcode::noerror || rcode == dns::Rcode::nxdomain;
  ++(renewed ? refresh_stats_.renewed : refresh_stats_.failed);
}

std::size_t Flights::size() const {
  std::size_t count = 0;
  for (const Segment& segment : segments_) {
    const std::scoped_lock lock{segment.mutex};
    count += segment.under_way.size();
  }
  return count;
}

}  // namespace gateway
