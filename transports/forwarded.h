// On whose behalf a reverse proxy asks: one HTTP field, "X-Forwarded-For" or "Forwarded", from the
// farthest hop to the nearest. RFC 7239 §4-6. No heap; a value that a request owns.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace transports {

/// The nearest hop that is not one of our own proxies is the client: whatever is told farther away,
/// anybody can have written. One field alone counts, for a proxy that writes one lets the other
/// through as its client sent it.
class ForwardedFor {
 public:
  enum class Field : std::uint8_t { x_forwarded_for, forwarded };

  /// `proxies` may change meanwhile, and outlives this.
  explicit ForwardedFor(const std::vector<base::Prefix>& proxies) : proxies_(&proxies) {}

  /// One field's value; several fields come in their order (RFC 9110 §5.3).
  void take(Field field, std::string_view value);

  /// Nothing when no field came, or when the nearest hop cannot be told ("unknown", "_hidden", or
  /// nonsense): then who sent the request is the client.
  [[nodiscard]] const std::optional<base::Address>& client() const { return client_; }

 private:
  void hop(const std::optional<base::Address>& address);

  const std::vector<base::Prefix>* proxies_;
  std::optional<base::Address> client_;
};

}  // namespace transports
