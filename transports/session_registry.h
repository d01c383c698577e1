// How many stream sessions there are, of all listeners and workers, and of each client. RFC 7766
// §6.2.2, RFC 9210 §4.2. Owned by App; thread-safe, asked once for each connection.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <map>
#include <mutex>

#include "base/address.h"
#include "conf/protocol.h"

namespace transports {

class SessionRegistry;

/// A session's place in the registry, given back when this ends.
class SessionPlace {
 public:
  SessionPlace(SessionPlace&& other) noexcept;
  SessionPlace& operator=(SessionPlace&& other) noexcept;
  ~SessionPlace();

 private:
  friend class SessionRegistry;
  SessionPlace(SessionRegistry& registry, const base::Address& client, conf::Protocol protocol)
      : registry_(&registry), client_(client), protocol_(protocol) {}

  SessionRegistry* registry_;
  base::Address client_;
  conf::Protocol protocol_;
};

class SessionRegistry {
 public:
  enum class Refusal : std::uint8_t {
    all,     ///< there are `most` sessions
    client,  ///< this client has `most_of_client`
  };

  SessionRegistry() = default;
  SessionRegistry(const SessionRegistry&) = delete;
  SessionRegistry& operator=(const SessionRegistry&) = delete;

  /// IPv6 clients are counted by their /64: one host has all of it.
  std::expected<SessionPlace, Refusal> admit(const base::Address& client, conf::Protocol protocol,
                                             std::uint32_t most, std::uint32_t most_of_client);

  /// Seven of eight of `most` are taken: who has nothing to ask should make room (RFC 7828 §3.4).
  [[nodiscard]] bool nearly_full(std::uint32_t most) const {
    return all_.load(std::memory_order_relaxed) >= most - most / 8;
  }

  [[nodiscard]] std::uint32_t open(conf::Protocol protocol) const {
    return open_[static_cast<std::size_t>(protocol)].load(std::memory_order_relaxed);
  }

 private:
  friend class SessionPlace;
  void leave(const base::Address& client, conf::Protocol protocol);

  std::array<std::atomic<std::uint32_t>, conf::protocols.size()> open_{};
  std::mutex mutex_;
  std::atomic<std::uint32_t> all_ = 0;              // changed with the mutex held, read without
  std::map<base::Address, std::uint32_t> clients_;  // ordered: no peer can make its keys collide
};

}  // namespace transports
