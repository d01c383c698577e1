// An error that knows whose fault it is, whether trying again helps, and where it happened.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace base {

/// Whose fault. Failover and metrics ask this, never an errno.
enum class Blame : std::uint8_t { client, upstream, us };

/// What may help.
enum class Retry : std::uint8_t {
  never,           ///< the same again will fail again
  fresh_link,      ///< the link was bad, not the upstream: ask it over a new one
  other_upstream,  ///< this upstream cannot; another might
};

/// Made off the hot path only: `context` allocates. It says where, e.g.
/// "tls://192.0.2.53#dns.example: closed before the reply".
struct Error {
  Blame blame = Blame::us;
  Retry retry = Retry::never;
  std::string context;
  /// The other side was there, or something on the way, and talking to it failed: not mere silence.
  bool broken = false;
};

constexpr std::string_view to_text(Blame blame) {
  switch (blame) {
    case Blame::client: return "client";
    case Blame::upstream: return "upstream";
    case Blame::us: return "us";
  }
  std::unreachable();
}

}  // namespace base
