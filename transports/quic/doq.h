// DNS over QUIC in both roles' words: error codes, framing. RFC 9250.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dns/request.h"
#include "transports/framing.h"

namespace transports::quic {

/// RFC 9250 §8.4.
enum class DoqError : std::uint64_t {
  no_error = 0,
  internal_error = 1,
  protocol_error = 2,
  request_cancelled = 3,
  excessive_load = 4,
  unspecified_error = 5,
};

constexpr std::uint64_t code_of(DoqError error) { return static_cast<std::uint64_t>(error); }

/// The longest that a stream carries in one direction (§4.2).
inline constexpr std::size_t doq_frame_max = frame_prefix_size + dns::message_size_max;

}  // namespace transports::quic
