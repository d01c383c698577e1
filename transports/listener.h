// A listener turns its transport's octets into queries. Owned by a worker; every worker has its own
// for each configured address (SO_REUSEPORT).
#pragma once

#include "base/address.h"
#include "base/clock.h"
#include "transports/awaitable.h"

namespace transports {

class Listener {
 public:
  virtual ~Listener() = default;
  Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The socket is bound and listening since construction (which throws with a clear sentence);
  /// queries are taken from now on.
  virtual void start() = 0;
  /// Stops taking new work at once and ends when what was accepted is answered, at `drain_until` at
  /// the latest. To be awaited on the worker's thread before destruction.
  virtual Awaitable<void> stop(base::TimePoint drain_until) = 0;
  [[nodiscard]] virtual base::Endpoint local_endpoint() const = 0;
};

}  // namespace transports
