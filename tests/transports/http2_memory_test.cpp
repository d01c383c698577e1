// The memory of nghttp2: what lies together, and that everything comes back in any order.
#include "transports/http2/memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

namespace transports::http2 {
namespace {

constexpr std::size_t session_size = 2968;  // of nghttp2 1.64, like the next
constexpr std::size_t frames_size = 16'394;
constexpr std::uintptr_t page = 4096;

std::uintptr_t page_of(const void* block) { return reinterpret_cast<std::uintptr_t>(block) / page; }

TEST(Http2Memory, ASessionAndItsSmallFramesLieOnOnePage) {
  Memory memory;
  for (int i = 0; i < 200; ++i) {
    auto* const session = static_cast<std::uint8_t*>(memory.allocate(session_size));
    auto* const frames = static_cast<std::uint8_t*>(memory.allocate(frames_size));
    EXPECT_EQ(page_of(session), page_of(frames + 512));
    EXPECT_GE(frames, session + session_size);
    std::memset(session, 1, session_size);
    std::memset(frames, 2, frames_size);
    EXPECT_EQ(session[session_size - 1], 1);
  }
  EXPECT_EQ(memory.heap_blocks(), 0U);
}

TEST(Http2Memory, EverythingComesBackInAnyOrder) {
  Memory memory;
  std::set<void*> slots;
  for (int i = 0; i < 100; ++i) {
    std::vector<void*> sessions;
    std::vector<void*> frames;
    for (int k = 0; k < 8; ++k) {
      sessions.push_back(memory.allocate(session_size));
      if (k % 4 != 3) frames.push_back(memory.allocate(frames_size));
      slots.insert(sessions.back());
    }
    frames.push_back(memory.allocate(frames_size));  // that of the last, or one alone
    frames.push_back(memory.allocate(frames_size));
    for (void* block : i % 2 == 0 ? sessions : frames) memory.release(block);
    for (void* block : i % 2 == 0 ? frames : sessions) memory.release(block);
  }
  EXPECT_LE(slots.size(), 64U) << "the first slab was enough";
}

TEST(Http2Memory, OtherBlocksAreOthers) {
  Memory memory;
  void* const session = memory.allocate(session_size);
  void* const second = memory.allocate(session_size);  // as long as the first has no frames
  EXPECT_EQ(memory.heap_blocks(), 1U);
  void* const grown = memory.resize(memory.allocate(100), frames_size);
  EXPECT_EQ(page_of(grown), page_of(session));
  EXPECT_EQ(memory.resize(grown, 100), grown);
  memory.release(session);
  memory.release(second);
  memory.release(grown);
  memory.release(nullptr);
}

}  // namespace
}  // namespace transports::http2
