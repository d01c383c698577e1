// Octets on their way to a socket that may be full. Bounded by its owner, who asks for room().
// Owned by a link's codec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace transports {

class Outbox {
 public:
  /// Questions that the socket does not take: beyond this no more are given to it.
  static constexpr std::size_t size_max = std::size_t{64} * 1024;

  [[nodiscard]] bool room() const { return octets_.size() - sent_ < size_max; }
  [[nodiscard]] base::Bytes waiting() const { return base::Bytes{octets_}.subspan(sent_); }

  /// Space at the end, to be filled as far as commit() says.
  base::MutableBytes reserve(std::size_t size) {
    committed_ = octets_.size();
    octets_.resize(committed_ + size);
    return base::MutableBytes{octets_}.subspan(committed_);
  }
  void commit(std::size_t size) { octets_.resize(committed_ + size); }
  void append(base::Bytes octets) { octets_.insert(octets_.end(), octets.begin(), octets.end()); }

  void written(std::size_t size) {
    sent_ += size;
    if (sent_ < octets_.size()) return;
    octets_.clear();
    sent_ = 0;
    if (octets_.capacity() > size_max / 8) octets_.shrink_to_fit();  // an idle link costs little
  }

 private:
  std::vector<std::uint8_t> octets_;
  std::size_t sent_ = 0;
  std::size_t committed_ = 0;
};

}  // namespace transports
