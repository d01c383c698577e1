// Messages in a stream: two octets of length before each (RFC 1035 §4.2.2, RFC 7766 §8). The memory
// is the caller's; only what is not yet whole is kept. Owned by a session or link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace transports {

inline constexpr std::size_t frame_prefix_size = 2;
/// Shorter than a header is no message (RFC 1035 §4.1.1).
inline constexpr std::size_t frame_message_min = 12;

class FrameReader {
 public:
  /// New octets of the stream; borrowed until keep().
  void feed(base::Bytes octets) { fed_ = octets; }

  /// The next whole message, without its length; valid until the next call of any member, and
  /// nothing for good once a length was impossible. Octets
  /// are kept as they come, never reserved by the length that a peer promises.
  std::optional<base::Bytes> next();

  /// Copies what is left of the borrowed octets, whole messages included that were not asked for.
  void keep();

  /// False once a length came that no message has: the stream is beyond repair.
  [[nodiscard]] bool sound() const { return sound_; }
  /// Nothing is left: a message has not begun.
  [[nodiscard]] bool empty() const { return kept_.size() == taken_ && fed_.empty(); }
  [[nodiscard]] std::size_t kept() const { return kept_.size() - taken_; }

 private:
  std::size_t frame_size(base::Bytes octets);
  std::optional<base::Bytes> next_kept();

  std::vector<std::uint8_t> kept_;
  std::size_t taken_ = 0;  // of kept_, given out already
  base::Bytes fed_;
  bool sound_ = true;
};

}  // namespace transports
