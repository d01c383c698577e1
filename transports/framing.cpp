// Cutting a stream into messages.
#include "transports/framing.h"

#include <algorithm>

namespace transports {

/// Octets of the frame that `octets` begins with: prefix and message; the prefix alone while that
/// is not whole.
std::size_t FrameReader::frame_size(base::Bytes octets) {
  if (octets.size() < frame_prefix_size) return frame_prefix_size;
  const std::size_t size = base::load_u16(octets.data());
  if (size < frame_message_min) sound_ = false;
  return frame_prefix_size + size;
}

std::optional<base::Bytes> FrameReader::next() {
  if (!sound_) return std::nullopt;
  if (taken_ != kept_.size()) return next_kept();
  if (!kept_.empty()) {
    kept_ = {};
    taken_ = 0;
  }
  const std::size_t size = frame_size(fed_);
  if (!sound_ || fed_.size() < size) return std::nullopt;
  const base::Bytes message = fed_.subspan(frame_prefix_size, size - frame_prefix_size);
  fed_ = fed_.subspan(size);
  return message;
}

/// While something is kept, it is filled up with as much as its first frame lacks, and no more.
std::optional<base::Bytes> FrameReader::next_kept() {
  for (;;) {
    const base::Bytes rest = base::Bytes(kept_).subspan(taken_);
    const std::size_t size = frame_size(rest);
    if (!sound_) return std::nullopt;
    if (rest.size() >= size) {
      taken_ += size;
      return rest.subspan(frame_prefix_size, size - frame_prefix_size);
    }
    const std::size_t lacking = std::min(size - rest.size(), fed_.size());
    if (lacking == 0) return std::nullopt;
    if (taken_ != 0) {
      kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(taken_));
      taken_ = 0;
    }
    kept_.insert(kept_.end(), fed_.begin(), fed_.begin() + static_cast<std::ptrdiff_t>(lacking));
    fed_ = fed_.subspan(lacking);
  }
}

void FrameReader::keep() {
  if (taken_ == kept_.size()) {
    kept_ = std::vector<std::uint8_t>(fed_.begin(), fed_.end());
  } else {
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(taken_));
    kept_.insert(kept_.end(), fed_.begin(), fed_.end());
  }
  taken_ = 0;
  fed_ = {};
}

}  // namespace transports
