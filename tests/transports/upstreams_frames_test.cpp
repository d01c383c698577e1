// Messages out of a stream.
#include "transports/upstreams/frames.h"

#include <gtest/gtest.h>

#include <vector>

namespace {

using Octets = std::vector<std::uint8_t>;
using transports::FrameAssembler;

Octets framed(const std::vector<std::size_t>& sizes) {
  Octets stream;
  std::uint8_t fill = 1;
  for (const std::size_t size : sizes) {
    stream.push_back(static_cast<std::uint8_t>(size >> 8));
    stream.push_back(static_cast<std::uint8_t>(size));
    stream.insert(stream.end(), size, fill++);
  }
  return stream;
}

const std::vector<std::size_t> sizes{12, 300, 65535, 13, 4096, 12};

TEST(Rfc7766_8, PiecesOfEverySizeGiveTheSameMessages) {
  const Octets stream = framed(sizes);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{1000},
                                  std::size_t{65536}, stream.size()}) {
    FrameAssembler frames;
    std::vector<Octets> messages;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      const base::Bytes octets =
          base::Bytes{stream}.subspan(at, std::min(piece, stream.size() - at));
      ASSERT_TRUE(frames.take(octets, [&messages](base::Bytes message) {
        messages.emplace_back(message.begin(), message.end());
        return true;
      }));
    }
    ASSERT_EQ(messages.size(), sizes.size());
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      EXPECT_EQ(messages[i], Octets(sizes[i], static_cast<std::uint8_t>(i + 1)));
    }
    EXPECT_EQ(frames.waiting(), 0U);
  }
}

TEST(FrameAssembler, KeepsWhatArrivedAndNotWhatWasPromised) {
  FrameAssembler frames;
  const Octets promise{0xFF, 0xFF, 1, 2, 3};
  EXPECT_TRUE(frames.take(promise, [](base::Bytes) { return true; }));
  EXPECT_EQ(frames.waiting(), promise.size());
}

TEST(FrameAssembler, ALengthBelowAHeaderIsBeyondRepair) {
  for (const std::uint8_t length : {0, 1, 11}) {
    FrameAssembler frames;
    int seen = 0;
    Octets stream = framed({12});
    stream.insert(stream.end(), {0, length});
    stream.insert(stream.end(), 40, 0);
    const auto count = [&seen](base::Bytes) { return ++seen > 0; };
    EXPECT_FALSE(frames.take(stream, count));
    EXPECT_FALSE(frames.take(framed({12}), count));  // for good
    EXPECT_EQ(seen, 1);
  }
}

TEST(FrameAssembler, StopsWhenToldSo) {
  FrameAssembler frames;
  int seen = 0;
  EXPECT_TRUE(frames.take(framed({12, 12, 12}), [&seen](base::Bytes) { return ++seen < 2; }));
  EXPECT_EQ(seen, 2);
}

}  // namespace
