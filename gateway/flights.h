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
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/basic_waitable_timer.hpp>

#include "base/clock.h"
#include "dns/answer.h"
#include "dns/request.h"
#include "gateway/mailbox.h"
#include "transports/awaitable.h"
#include "transports/query.h"

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

/// Owned by App. Locks are taken for misses only, one segment at a time.
class Flights {
 public:
  Flights() = default;
  Flights(const Flights&) = delete;
  Flights& operator=(const Flights&) = delete;

  /// Waits for the flight of `key`. When there was none, it is begun and `launch` is called, under
  /// no lock, before the wait: it must see to it that land() comes, by the deadline of the query
  /// that began the flight.
  template <class Launch>
  transports::Awaitable<std::shared_ptr<const Landed>> join(const FlightKey& key, Mailbox& home,
                                                            Launch launch) {
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<transports::Executor>,
                                       void(std::shared_ptr<const Landed>)>(
        [this](auto handler, const FlightKey& at, Mailbox* mailbox, Launch begin) {
          if (add(at, {mailbox, std::move(handler)})) begin();
        },
        transports::use_awaitable, key, &home, std::move(launch));
  }

  /// The same for who has something else to give: null when the flight has not landed within
  /// `patience`. It goes on all the same.
  template <class Launch>
  transports::Awaitable<std::shared_ptr<const Landed>> join_for(base::Clock::duration patience,
                                                                const FlightKey& key, Mailbox& home,
                                                                Launch launch) {
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<transports::Executor>,
                                       void(std::shared_ptr<const Landed>)>(
        [this, patience](auto handler, const FlightKey& at, Mailbox* mailbox, Launch begin) {
          const auto race = std::make_shared<Race>(std::move(handler), mailbox->executor());
          const bool is_new = add(at, {mailbox, [race](std::shared_ptr<const Landed> landed) {
                                         race->end(std::move(landed));
                                       }});
          race->timer.expires_after(patience);
          race->timer.async_wait([race](boost::system::error_code) { race->end(nullptr); });
          if (is_new) begin();
        },
        transports::use_awaitable, key, &home, std::move(launch));
  }

  /// Whether the question has been under way for so long. Who then has something else to give does
  /// not wait at all: so those who leave a flight before it lands are no more than came in the
  /// beginning.
  [[nodiscard]] bool is_late(const FlightKey& key, base::Clock::duration patience);

  /// Room for a flight that nobody waits for, of `most` at a time. Given back when it lands.
  [[nodiscard]] bool reserve_refresh(std::uint32_t most);
  void give_back_refresh() { refreshing_.fetch_sub(1); }
  /// Begins one under such a reservation. False, and the reservation is given back: the question is
  /// under way already.
  [[nodiscard]] bool begin_refresh(const FlightKey& key);

  struct RefreshStats {
    std::atomic<std::uint64_t> renewed{0};
    std::atomic<std::uint64_t> failed{0};
  };
  [[nodiscard]] const RefreshStats& refreshes() const { return refresh_stats_; }

  /// Ends the flight: everybody who waits gets `landed`, each worker in one burst.
  void land(const FlightKey& key, std::shared_ptr<const Landed> landed);

  [[nodiscard]] std::size_t size() const;

 private:
  using Handler = boost::asio::any_completion_handler<void(std::shared_ptr<const Landed>)>;
  struct Waiter {
    Mailbox* home;
    Handler handler;
  };
  /// The flight's end or the timer's, whichever is first; both come on the waiter's worker.
  struct Race {
    Race(Handler who, transports::Executor executor)
        : handler(std::move(who)), timer(std::move(executor)) {}
    void end(std::shared_ptr<const Landed> landed) {
      if (!handler) return;
      timer.cancel();
      std::exchange(handler, {})(std::move(landed));
    }

    Handler handler;
    boost::asio::basic_waitable_timer<base::Clock, boost::asio::wait_traits<base::Clock>,
                                      transports::Executor>
        timer;
  };
  struct Flight {
    std::vector<Waiter> waiters;
    base::TimePoint began = base::Clock::now();
    bool is_refresh = false;
  };
  struct Hash {
    std::size_t operator()(const FlightKey& key) const { return key.hash; }
  };
  struct Segment {
    mutable std::mutex mutex;
    std::unordered_map<FlightKey, Flight, Hash> flights;
  };

  /// True when this waiter is the first: there was no such flight.
  bool add(const FlightKey& key, Waiter waiter);
  Segment& segment_of(const FlightKey& key) {
    return segments_[(key.hash >> 48) % segments_.size()];
  }

  std::array<Segment, 32> segments_;
  std::atomic<std::uint32_t> refreshing_{0};
  RefreshStats refresh_stats_;
};

}  // namespace gateway
