// Counting sessions.
#include "transports/session_registry.h"

#include <utility>

namespace transports {

namespace {

base::Address counted_as(const base::Address& client) {
  constexpr std::uint8_t host_prefix = 64;
  return client.is_v4() ? client : base::Prefix::covering(client, host_prefix).address();
}

}  // namespace

SessionPlace::SessionPlace(SessionPlace&& other) noexcept
    : registry_(std::exchange(other.registry_, nullptr)),
      client_(other.client_),
      protocol_(other.protocol_) {}

SessionPlace& SessionPlace::operator=(SessionPlace&& other) noexcept {
  std::swap(registry_, other.registry_);
  std::swap(client_, other.client_);
  std::swap(protocol_, other.protocol_);
  return *this;
}

SessionPlace::~SessionPlace() {
  if (registry_ != nullptr) registry_->leave(client_, protocol_);
}

std::expected<SessionPlace, SessionRegistry::Refusal> SessionRegistry::admit(
    const base::Address& client, conf::Protocol protocol, std::uint32_t most,
    std::uint32_t most_of_client) {
  const base::Address key = counted_as(client);
  const std::scoped_lock lock(mutex_);
  const auto known = clients_.find(key);
  if (known != clients_.end() && known->second >= most_of_client)
    return std::unexpected(Refusal::client);
  if (all_ >= most) return std::unexpected(Refusal::all);
  ++all_;
  if (known != clients_.end()) {
    ++known->second;
  } else {
    clients_.emplace(key, 1);
  }
  open_[static_cast<std::size_t>(protocol)].fetch_add(1, std::memory_order_relaxed);
  return SessionPlace(*this, key, protocol);
}

void SessionRegistry::leave(const base::Address& client, conf::Protocol protocol) {
  open_[static_cast<std::size_t>(protocol)].fetch_sub(1, std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  --all_;
  const auto known = clients_.find(client);
  if (--known->second == 0) clients_.erase(known);
}

}  // namespace transports
