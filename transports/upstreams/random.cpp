// Random: getrandom(2) in blocks.
#include "transports/upstreams/random.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace transports {

void Random::fill(base::MutableBytes out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    if (used_ == block_.size()) refill();
    const std::size_t count = std::min(out.size() - filled, block_.size() - used_);
    std::copy_n(block_.begin() + static_cast<std::ptrdiff_t>(used_), count,
                out.begin() + static_cast<std::ptrdiff_t>(filled));
    std::fill_n(block_.begin() + static_cast<std::ptrdiff_t>(used_), count, std::uint8_t{0});
    used_ += count;
    filled += count;
  }
}

void Random::refill() {
  std::size_t filled = 0;
  while (filled < block_.size()) {
    const ssize_t count = ::getrandom(block_.data() + filled, block_.size() - filled, 0);
    if (count > 0) {
      filled += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      // Guessable ids would be worse than none: an attacker could put anything into the cache.
      std::abort();
    }
  }
  used_ = 0;
}

}  // namespace transports
