// HTTP/2 frames as octets, for peers that do what no library would. RFC 9113 §4.1 and §6.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace test_support::http2_frames {

inline constexpr std::uint8_t data = 0, headers = 1, priority = 2, rst_stream = 3, settings = 4,
                              push_promise = 5, ping = 6, goaway = 7, window_update = 8,
                              continuation = 9;
inline constexpr std::uint8_t end_stream = 1, acknowledged = 1, end_headers = 4;

inline constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                         std::string_view payload) {
  std::string out(9, '\0');
  out[0] = static_cast<char>(payload.size() >> 16);
  out[1] = static_cast<char>(payload.size() >> 8);
  out[2] = static_cast<char>(payload.size());
  out[3] = static_cast<char>(type);
  out[4] = static_cast<char>(flags);
  for (int i = 0; i < 4; ++i) out[5 + i] = static_cast<char>(stream >> (24 - (8 * i)));
  return out.append(payload);
}

struct Frame {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  std::string payload;
};

/// The whole frames of `octets`, behind a client's preface where there is one.
inline std::vector<Frame> read_frames(std::string_view octets) {
  if (octets.starts_with(preface)) octets.remove_prefix(preface.size());
  const auto number = [&](std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + size; ++i)
      value = (value << 8) | static_cast<std::uint8_t>(octets[i]);
    return value;
  };
  std::vector<Frame> found;
  while (octets.size() >= 9 && octets.size() >= 9 + number(0, 3)) {
    const std::size_t size = number(0, 3);
    found.push_back({static_cast<std::uint8_t>(octets[3]), static_cast<std::uint8_t>(octets[4]),
                     number(5, 4), std::string(octets.substr(9, size))});
    octets.remove_prefix(9 + size);
  }
  return found;
}

/// GET https://localhost/ by the static table, and an authority.
inline const std::string get_fields = std::string("\x82\x84\x87\x41\x09localhost", 14);

}  // namespace test_support::http2_frames
