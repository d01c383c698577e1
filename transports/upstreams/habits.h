// What we have learnt of one upstream's habits, for a while: is EDNS understood, is letter case
// echoed, are cookies spoken. RFC 6891 §7, RFC 7873 §5.3, RFC 9018 §3. Owned by the upstream.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"
#include "transports/upstreams/random.h"

namespace transports {

/// EDNS is left out for a while when a query failed with it and succeeded without.
class EdnsHabit {
 public:
  [[nodiscard]] bool usable(base::TimePoint now) const { return now >= off_until_; }
  void not_understood(base::TimePoint now) { off_until_ = now + std::chrono::minutes{15}; }

 private:
  base::TimePoint off_until_{};
};

/// Letter case is no secret to an upstream that changes it. One reply in another case may be a
/// forgery that guessed id and port, so three exchanges in a row must show it, each of them
/// answered by other means.
class CaseHabit {
 public:
  [[nodiscard]] bool echoed(base::TimePoint now) const { return now >= off_until_; }
  void was_echoed() { changed_in_a_row_ = 0; }
  void was_changed(base::TimePoint now) {
    if (++changed_in_a_row_ < 3) return;
    changed_in_a_row_ = 0;
    off_until_ = now + std::chrono::hours{1};
  }

 private:
  base::TimePoint off_until_{};
  unsigned changed_in_a_row_ = 0;
};

/// The client cookie that went with one query.
struct SentCookie {
  std::array<std::uint8_t, 40> octets{};
  std::uint8_t size = 0;  ///< 0: none was sent; 8, or with the server's part 16 to 40

  [[nodiscard]] base::Bytes view() const { return {octets.data(), size}; }
};

/// What a reply's cookie says of the reply.
enum class CookieVerdict : std::uint8_t {
  good,
  forged,   ///< another client cookie, or an impossible size: discard (RFC 7873 §5.3)
  missing,  ///< not there although this upstream sends them: discard, and ask where forging is
            ///< harder
};

class CookieHabit {
 public:
  /// Worth a try?
  [[nodiscard]] bool usable(base::TimePoint now) const { return now >= off_until_; }
  /// The cookie for the next query. `local` is the address that it leaves from: neither part is
  /// used from another one (RFC 9018 §3, no tracking across networks).
  SentCookie next(base::Bytes local, Random& random);
  /// Learns the server's part of a good one.
  CookieVerdict judge(const SentCookie& sent, bool present, base::Bytes cookie,
                      base::TimePoint now);
  /// A reply without a cookie was missed, and another transport brought the true one.
  void was_missing(base::TimePoint now);

 private:
  void forget();

  static constexpr std::uint8_t client_size = 8;

  std::array<std::uint8_t, 40> octets_{};  // the client's eight, then the server's
  std::uint8_t size_ = 0;                  // 0: a new one is made for the next query
  std::array<std::uint8_t, 16> local_{};
  unsigned missing_in_a_row_ = 0;
  base::TimePoint off_until_{};
};

}  // namespace transports
