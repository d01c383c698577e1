// The same question twice is one exchange: whoever asks while it is under way waits for it, on
// whichever worker and over whichever transport. Process-wide; a flight outlives the client that
// began it. RFC 5452 §5 (no parallel duplicates).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>

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

  /// Ends the flight: everybody who waits gets `landed`, each worker in one burst.
  void land(const FlightKey& key, std::shared_ptr<const Landed> landed);

  [[nodiscard]] std::size_t size() const;

 private:
  using Handler = boost::asio::any_completion_handler<void(std::shared_ptr<const Landed>)>;
  struct Waiter {
    Mailbox* home;
    Handler handler;
  };
  struct Hash {
    std::size_t operator()(const FlightKey& key) const { return key.hash; }
  };
  struct Segment {
    mutable std::mutex mutex;
    std::unordered_map<FlightKey, std::vector<Waiter>, Hash> flights;
  };

  /// True when this waiter is the first: there was no such flight.
  bool add(const FlightKey& key, Waiter waiter);
  Segment& segment_of(const FlightKey& key) {
    return segments_[(key.hash >> 48) % segments_.size()];
  }

  std::array<Segment, 32> segments_;
};

}  // namespace gateway
