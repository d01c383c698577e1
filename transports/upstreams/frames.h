// Messages out of an octet stream: two octets of length, then the message, in pieces of any size.
// RFC 1035 §4.2.2, RFC 7766 §8. Owned by a link; empty as long as no message is cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace transports {

class FrameAssembler {
 public:
  /// Takes what has arrived and calls `visit(message)` for each whole message, until it gives
  /// false. Gives false when the stream is beyond repair: a length that no DNS message has. Memory
  /// is what arrived, never what a length promises.
  template <class Visit>
  bool take(base::Bytes arrived, Visit&& visit) {
    if (rest_.empty()) {
      const base::Bytes left = split(arrived, visit);
      rest_.assign(left.begin(), left.end());
    } else {
      rest_.insert(rest_.end(), arrived.begin(), arrived.end());
      const base::Bytes left = split(rest_, visit);
      if (left.empty()) {
        rest_ = {};
      } else {
        rest_.erase(rest_.begin(), rest_.end() - static_cast<std::ptrdiff_t>(left.size()));
      }
    }
    return sound_;
  }

  /// Octets of a message that is not whole yet.
  [[nodiscard]] std::size_t waiting() const { return rest_.size(); }

 private:
  static constexpr std::size_t length_size = 2;
  static constexpr std::size_t message_least = 12;  // a header

  template <class Visit>
  base::Bytes split(base::Bytes octets, Visit&& visit) {
    while (sound_ && octets.size() >= length_size) {
      const std::size_t size = base::load_u16(octets.data());
      sound_ = size >= message_least;
      if (!sound_ || octets.size() - length_size < size) break;
      const base::Bytes message = octets.subspan(length_size, size);
      octets = octets.subspan(length_size + size);
      if (!visit(message)) break;
    }
    return octets;
  }

  std::vector<std::uint8_t> rest_;
  bool sound_ = true;
};

}  // namespace transports
