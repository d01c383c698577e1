// Fuzz target: FrameReader gives the same messages however its stream is cut and however eagerly
// they are taken.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "transports/framing.h"

namespace {

using Octets = std::vector<std::uint8_t>;

/// What RFC 1035 §4.2.2 says, the plain way.
std::vector<Octets> expected(base::Bytes stream) {
  std::vector<Octets> messages;
  while (stream.size() >= 2 && stream.size() >= 2U + base::load_u16(stream.data())) {
    const std::size_t size = base::load_u16(stream.data());
    if (size < transports::frame_message_min) break;
    messages.emplace_back(stream.begin() + 2,
                          stream.begin() + 2 + static_cast<std::ptrdiff_t>(size));
    stream = stream.subspan(2 + size);
  }
  return messages;
}

}  // namespace

/// The first half of the input cuts the second: each octet says how much is fed and how much is
/// taken.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::Bytes cuts(data, size / 2);
  const base::Bytes stream(data + size / 2, size - size / 2);
  transports::FrameReader reader;
  std::vector<Octets> messages;
  std::size_t at = 0;
  const auto take = [&](std::size_t most) {
    for (; most != 0; --most) {
      const auto message = reader.next();
      if (!message) return;
      messages.emplace_back(message->begin(), message->end());
    }
  };
  for (const std::uint8_t cut : cuts) {
    const std::size_t piece = std::min<std::size_t>(cut >> 2, stream.size() - at);
    const Octets fed(stream.begin() + static_cast<std::ptrdiff_t>(at),
                     stream.begin() + static_cast<std::ptrdiff_t>(at + piece));
    at += piece;
    reader.feed(fed);
    take(cut & 3U);
    reader.keep();
  }
  reader.feed(stream.subspan(at));
  take(size + 1);
  if (messages != expected(stream)) std::abort();
  return 0;
}
