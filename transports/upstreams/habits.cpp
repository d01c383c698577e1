// Cookies: made, learnt, forgotten.
#include "transports/upstreams/habits.h"

#include <algorithm>

namespace transports {

namespace {
constexpr std::chrono::minutes unsupported_for{5};  // RFC 9018 §3
}

SentCookie CookieHabit::next(base::Bytes local, Random& random) {
  if (!std::ranges::equal(local, base::Bytes{local_}.first(local.size()))) {
    forget();
    std::ranges::copy(local, local_.begin());
  }
  if (size_ == 0) {
    random.fill(base::MutableBytes{octets_}.first(client_size));
    size_ = client_size;
  }
  return {octets_, size_};
}

CookieVerdict CookieHabit::judge(const SentCookie& sent, bool present, base::Bytes cookie,
                                 base::TimePoint now) {
  if (sent.size == 0) return CookieVerdict::good;
  if (!present) {
    // What this query carried says whether the upstream had spoken cookies before: others may have
    // changed it since.
    if (sent.size > client_size) return CookieVerdict::missing;
    forget();
    off_until_ = now + unsupported_for;
    return CookieVerdict::good;
  }
  // The client's part alone proves as much, and some servers send no more.
  const bool size_allowed =
      cookie.size() == client_size || (cookie.size() >= 16 && cookie.size() <= octets_.size());
  if (!size_allowed ||
      !std::ranges::equal(cookie.first(client_size), sent.view().first(client_size))) {
    return CookieVerdict::forged;
  }
  missing_in_a_row_ = 0;
  if (size_ != 0 && cookie.size() > client_size &&
      std::ranges::equal(base::Bytes{octets_}.first(client_size), cookie.first(client_size))) {
    std::ranges::copy(cookie, octets_.begin());
    size_ = static_cast<std::uint8_t>(cookie.size());
  }
  return CookieVerdict::good;
}

void CookieHabit::was_missing(base::TimePoint now) {
  if (++missing_in_a_row_ < 3) return;
  forget();
  off_until_ = now + unsupported_for;
}

void CookieHabit::forget() {
  octets_.fill(0);
  size_ = 0;
  missing_in_a_row_ = 0;
}

}  // namespace transports
