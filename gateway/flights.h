// The same question twice is one exchange: whoever asks while it is under way waits for it, on
// whichever worker and over whichever transport. Process-wide; a flight outlives the client that
// began it. RFC 5452 §5 (no parallel duplicates).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "base/clock.h"
#include "dns/answer.h"
#include "dns/request.h"
#include "gateway/mailbox.h"
#include "transports/query.h"
#include "transports/spares.h"

namespace gateway {

/// What an exchange gave, shared by all who waited for it.
struct Landed {
  dns::KeptAnswer answer;
  transports::Source source = transports::Source::failure;
};

struct FlightKey {
  dns::Question question;
  bool dnssec_ok = false;
  bool checking_disabled = false;
  std::uint64_t hash = 0;  ///< the cache key's

  friend bool operator==(const FlightKey& left, const FlightKey& right) {
    return left.hash == right.hash && left.dnssec_ok == right.dnssec_ok &&
           left.checking_disabled == right.checking_disabled && left.question == right.question;
  }
};

struct Flight;

/// Who waits for a flight, on its own worker's thread. Owned by that worker, and there until it has
/// been told or has left.
class Passenger : public boost::intrusive::list_base_hook<
                      boost::intrusive::link_mode<boost::intrusive::normal_link>> {
 public:
  Passenger(const Passenger&) = delete;
  Passenger& operator=(const Passenger&) = delete;

 protected:
  explicit Passenger(Mailbox& home) : home_(home) {}
  ~Passenger() = default;

  /// Once, through the loop, unless it leaves.
  virtual void landed(const Landed& landed) = 0;

 private:
  friend class Flights;
  Mailbox& home_;
  Flight* flight_ = nullptr;  // under its segment's lock; null once that has landed
  std::uint64_t hash_ = 0;    // of the flight's key
  std::shared_ptr<const Landed> landed_;
};

/// An exchange under way. Owned by Flights; who launches it may look at it until it lands.
struct Flight : transports::Spare {
  FlightKey key;
  base::TimePoint began;
  base::TimePoint deadline;  ///< of the query that began it
  bool is_refresh = false;
  boost::intrusive::list<Passenger, boost::intrusive::constant_time_size<false>> passengers;
};

/// Owned by App. Locks are taken for misses only, one segment at a time.
class Flights {
 public:
  Flights() = default;
  Flights(const Flights&) = delete;
  Flights& operator=(const Flights&) = delete;

  /// `passenger` waits for the flight of `key`. When there was none it is begun and given: the
  /// caller must see to it that land() comes, by the deadline.
  [[nodiscard]] Flight* join(const FlightKey& key, base::TimePoint now, base::TimePoint deadline,
                             Passenger& passenger);
  /// It waits no longer; the flight goes on all the same. False when that has landed: the passenger
  /// is about to be told.
  bool leave(Passenger& passenger);

  /// Whether the question has been under way for so long. Who then has something else to give does
  /// not wait at all.
  [[nodiscard]] bool is_late(const FlightKey& key, base::TimePoint now,
                             base::Clock::duration patience);

  /// A place among the refreshes that may be under way at once; false: there are as many. It is
  /// given back when the refresh lands, or here.
  bool reserve_refresh(std::uint32_t most);
  void give_back_refresh() { refreshing_.fetch_sub(1); }
  /// A flight that nobody waits for yet, with a place of its own; like join(), the caller must see
  /// to it that it lands. Null, and the place is given back, when the question is under way
  /// already.
  [[nodiscard]] Flight* begin_refresh(const FlightKey& key, base::TimePoint now,
                                      base::TimePoint deadline);

  struct RefreshStats {
    std::atomic<std::uint64_t> renewed{0};
    std::atomic<std::uint64_t> failed{0};
  };
  [[nodiscard]] const RefreshStats& refreshes() const { return refresh_stats_; }

  /// Ends the flight: everybody who waits is told, each worker in one burst.
  void land(Flight& flight, std::shared_ptr<const Landed> landed);

  [[nodiscard]] std::size_t size() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const FlightKey& key) const { return key.hash; }
    std::size_t operator()(const Flight* flight) const { return flight->key.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const FlightKey& key, const Flight* flight) const { return key == flight->key; }
    bool operator()(const Flight* flight, const FlightKey& key) const { return key == flight->key; }
    bool operator()(const Flight* left, const Flight* right) const { return left == right; }
  };
  struct Segment {
    mutable std::mutex mutex;
    boost::unordered_flat_set<Flight*, Hash, Equal> under_way;
    transports::Spares<Flight, 64> flights;
  };

  static Flight& begin(Segment& segment, const FlightKey& key, base::TimePoint now,
                       base::TimePoint deadline);
  void count_refresh(const Landed& landed);
  Segment& segment_of(std::uint64_t hash) { return segments_[(hash >> 48) % segments_.size()]; }

  std::array<Segment, 32> segments_;
  std::atomic<std::uint32_t> refreshing_{0};
  RefreshStats refresh_stats_;
};

}  // namespace gateway
