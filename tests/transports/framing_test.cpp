// Messages out of a stream, however it is cut. RFC 1035 §4.2.2, RFC 7766 §8.
#include "transports/framing.h"

#include <gtest/gtest.h>

#include <vector>

namespace transports {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets stream_of(const std::vector<Octets>& messages) {
  Octets stream;
  for (const Octets& message : messages) {
    stream.push_back(static_cast<std::uint8_t>(message.size() >> 8));
    stream.push_back(static_cast<std::uint8_t>(message.size()));
    stream.insert(stream.end(), message.begin(), message.end());
  }
  return stream;
}

/// Feeds `stream` in pieces of `piece` octets; takes at most `most` messages after each.
std::vector<Octets> read_in_pieces(const Octets& stream, std::size_t piece, std::size_t most) {
  FrameReader reader;
  std::vector<Octets> messages;
  const auto take = [&](std::size_t limit) {
    for (std::size_t i = 0; i < limit; ++i) {
      const auto message = reader.next();
      if (!message) return;
      messages.emplace_back(message->begin(), message->end());
    }
  };
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    // The memory is gone after keep(), as a worker's shared buffer is.
    const Octets part(
        stream.begin() + static_cast<std::ptrdiff_t>(at),
        stream.begin() + static_cast<std::ptrdiff_t>(std::min(at + piece, stream.size())));
    reader.feed(part);
    take(most);
    reader.keep();
  }
  take(stream.size());
  EXPECT_TRUE(reader.empty());
  return messages;
}

TEST(Rfc7766_8, EveryCutGivesTheSameMessages) {
  const std::vector<Octets> messages{Octets(17, 'a'), Octets(12, 'd'), Octets(300, 'b'),
                                     Octets(13, 'c')};
  const Octets stream = stream_of(messages);
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    for (const std::size_t most : {std::size_t{0}, std::size_t{1}, stream.size()}) {
      EXPECT_EQ(read_in_pieces(stream, piece, most), messages) << piece << ' ' << most;
    }
  }
}

TEST(Rfc1035_4_2_2, LargestMessage) {
  const std::vector<Octets> messages{Octets(65535, 'x'), Octets(65535, 'y')};
  EXPECT_EQ(read_in_pieces(stream_of(messages), 16384, 100), messages);
}

TEST(FrameReader, PromiseOfALengthReservesNothing) {
  FrameReader reader;
  const Octets promise{0xFF, 0xFF, 1};
  reader.feed(promise);
  EXPECT_FALSE(reader.next());
  reader.keep();
  EXPECT_EQ(reader.kept(), 3U);
  EXPECT_FALSE(reader.empty());
}

TEST(FrameReader, LengthBelowAHeaderIsBeyondRepair) {
  for (const std::size_t wrong : {0U, 1U, 11U}) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{100}}) {
      FrameReader reader;
      const Octets stream = stream_of({Octets(12, 'a'), Octets(wrong, 'x'), Octets(40, 'b')});
      int seen = 0;
      for (std::size_t at = 0; at < stream.size(); at += piece) {
        reader.feed(base::Bytes(stream).subspan(at, std::min(piece, stream.size() - at)));
        while (reader.next()) ++seen;
        reader.keep();
      }
      EXPECT_EQ(seen, 1);
      EXPECT_FALSE(reader.sound());
    }
  }
}

TEST(FrameReader, WholeMessagesThatWereNotAskedForAreKept) {
  FrameReader reader;
  const Octets stream = stream_of({Octets(15, 'a'), Octets(16, 'b'), Octets(17, 'c')});
  reader.feed(stream);
  ASSERT_TRUE(reader.next());
  reader.keep();
  EXPECT_EQ(reader.kept(), 2 + 16 + 2 + 17U);
  EXPECT_EQ(reader.next()->size(), 16U);
  reader.keep();
  EXPECT_EQ(reader.next()->size(), 17U);
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.empty());
}

}  // namespace
}  // namespace transports
