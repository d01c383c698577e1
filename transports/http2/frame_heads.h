// The heads of frames in octets that come in any pieces: what nghttp2 ignores it tells nobody of.
// RFC 9113 §4.1. Owned by its session.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace transports::http2 {

struct FrameHead {
  std::uint32_t length;
  std::uint8_t type;
  std::uint8_t flags;
  std::int32_t stream;
};

class FrameHeads {
 public:
  static constexpr std::size_t size = 9;

  /// `before`: how many octets come before the first, as a client's preface does.
  explicit FrameHeads(std::size_t before) : skip_(before) {}

  /// Calls `look` with each head that has become whole.
  void take(base::Bytes octets, auto look) {
    while (!octets.empty()) {
      const std::size_t wanted = skip_ != 0 ? skip_ : size - have_;
      const std::size_t some = std::min(wanted, octets.size());
      if (skip_ != 0) {
        skip_ -= some;
      } else {
        std::memcpy(head_.data() + have_, octets.data(), some);
        have_ += some;
        if (have_ == size) look(read());
      }
      octets = octets.subspan(some);
    }
  }

 private:
  FrameHead read() {
    have_ = 0;
    skip_ = base::load_u32(head_.data()) >> 8U;
    return {static_cast<std::uint32_t>(skip_), head_[3], head_[4],
            static_cast<std::int32_t>(base::load_u32(&head_[5]) & 0x7fff'ffffU)};
  }

  std::size_t skip_;
  std::size_t have_ = 0;
  std::array<std::uint8_t, size> head_{};
};

}  // namespace transports::http2
